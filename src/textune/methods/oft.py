"""OFT: inputs of every linear layer are rotated block by block."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class OFT(PeftMethod):
    """Orthogonal fine-tuning (Qiu et al., 2023).

    A frozen weight ``W`` (out, in) becomes ``W @ R``, where ``R`` is block-diagonal and every
    block a rotation ``(I + Q)(I - Q)^-1`` of a skew-symmetric ``Q`` (section 3.2). The inverse is
    summed up to the fourth power of ``Q`` (Qiu et al., 2025, arXiv:2506.19847). The elements of
    ``Q`` train; they start at zero, so training starts at the base model.
    """

    paper: ClassVar[str] = "arXiv:2306.07280"
    lr: ClassVar[float] = 1e-3
    trained_share: ClassVar[float | None] = 0.017
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"block_size": (16, 32, 64)}
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"
    harmless: ClassVar[str] = "Invalid `oft_block_size`"

    block_size: int = 32
    """Width of a block; a layer whose input it does not divide takes the nearest width that
    does."""

    def __post_init__(self) -> None:
        check_least(self, 2, "block_size", hint="it must be 2 or more; 32 is usual")

    def config(self, head: list[str]) -> Any:
        """``OFTConfig``."""
        from peft import OFTConfig

        return OFTConfig(
            task_type="CAUSAL_LM",
            oft_block_size=self.block_size,
            target_modules="all-linear",
            modules_to_save=head or None,
        )
