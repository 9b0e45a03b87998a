"""BOFT: inputs of every linear layer are rotated by a product of sparse rotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textune.core.errors import ConfigError, ImpossibleError
from textune.methods.base import PeftMethod, check_least

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


@dataclass(frozen=True, kw_only=True)
class BOFT(PeftMethod):
    """Orthogonal fine-tuning by butterfly factors (Liu et al., 2024).

    A frozen weight ``W`` (out, in) becomes ``diag(s) @ W @ R``, where ``R`` is the product of
    ``factors`` block-diagonal rotations, each after a permutation of the inputs, as in a fast
    Fourier transform (section 3): every input can reach ``block_size * 2^(factors - 1)`` others.
    Rotations (at first none) and scales ``s`` (at first one) train, so training starts at the base
    model.
    """

    paper: ClassVar[str] = "arXiv:2311.06243"
    lr: ClassVar[float] = 3e-3
    trained_share: ClassVar[float | None] = 0.00996
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"

    block_size: int = 4
    """Width of a block; even, and it must divide the width of every layer's input."""
    factors: int = 2
    """Number of rotations; 1 is OFT with scales. Widths of inputs must be divisible by
    block_size * 2^(factors - 1)."""

    def __post_init__(self) -> None:
        if self.block_size < 2 or self.block_size % 2:
            hint = "it must be even, 2 or more; 4 and 8 are usual"
            raise ConfigError(f"block_size cannot be {self.block_size}", hint=hint)
        check_least(self, 1, "factors", hint="it must be 1 or more; 2 to 4 are usual")

    def config(self, head: list[str]) -> Any:
        """``BOFTConfig``."""
        from peft import BOFTConfig

        return BOFTConfig(
            task_type="CAUSAL_LM",
            boft_block_size=self.block_size,
            boft_n_butterfly_factor=self.factors,
            target_modules="all-linear",
            modules_to_save=head or None,
        )

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Wrap the model.

        Raises:
            ImpossibleError: the input of a layer cannot be divided into such blocks.
        """
        from textune.models.butterfly import allow_factors, linear_widths, quicken

        unit = self.block_size * 2 ** (self.factors - 1)
        for name, width in linear_widths(model).items():
            if width % unit:
                raise ImpossibleError(
                    f"BOFT cannot divide the {width} inputs of {name} by {unit} "
                    f"(block_size {self.block_size}, factors {self.factors})",
                    hint="take a smaller block_size or fewer factors",
                )
        allow_factors()
        return quicken(super().apply(model, head))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """An adapter from a PEFT folder."""
        from textune.models.butterfly import allow_factors, quicken

        allow_factors()
        return quicken(super().load(model, folder))
