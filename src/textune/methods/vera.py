"""VeRA: two random matrices shared by all layers, scaled by learned vectors."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.core.errors import ConfigError
from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class VeRA(PeftMethod):
    """Vector-based random matrix adaptation (Kopiczko, Blankevoort and Asano, 2024).

    A frozen weight ``W`` becomes ``W + diag(b) @ B @ diag(d) @ A`` (section 3.1), where ``A`` and
    ``B`` are random, frozen and the same in every layer. Only the vectors ``b`` (out,), at first
    zero, and ``d`` (rank,) train, so training starts at the base model. The random matrices are
    drawn from the run's seed and saved with the vectors.
    """

    paper: ClassVar[str] = "arXiv:2310.11454"
    lr: ClassVar[float] = 3e-2
    trained_share: ClassVar[float | None] = 0.00155
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"rank": (64, 256, 1024)}
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "as LoRA"

    rank: int = 256
    """Rows of ``A``; as only vectors train, larger than LoRA's rank."""
    start: float = 0.1
    """What every element of ``d`` begins with; at most 0.1 is advised (table 6)."""
    dropout: float = 0.0
    """Share of the adapter's inputs dropped in training."""

    def __post_init__(self) -> None:
        check_least(self, 1, "rank", hint="it must be 1 or more; 256 is usual")
        if not 0 <= self.dropout < 1:
            hint = "it must be at least 0 and below 1"
            raise ConfigError(f"dropout cannot be {self.dropout}", hint=hint)

    def config(self, head: list[str]) -> Any:
        """``VeraConfig``."""
        import torch
        from peft import VeraConfig

        return VeraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            d_initial=self.start,
            vera_dropout=self.dropout,
            projection_prng_key=int(torch.randint(2**31, (), device="cpu")),
            target_modules="all-linear",
            modules_to_save=head or None,
        )
