"""LoHa: an update that is the element-wise product of two low-rank ones."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class LoHa(PeftMethod):
    """Low-rank Hadamard product (Hyeon-Woo, Ye-Bin and Oh, 2022, FedPara; Yeh et al., 2024).

    A frozen weight ``W`` becomes ``W + alpha / rank * (B1 @ A1) * (B2 @ A2)``, product element by
    element, so that the update has up to the square of the rank (FedPara, section 2.2). All four
    matrices train; ``A2`` starts at zero, so training starts at the base model.
    """

    paper: ClassVar[str] = "arXiv:2108.06098, arXiv:2309.14859"
    lr: ClassVar[float] = 1e-2
    trained_share: ClassVar[float | None] = 0.035
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"rank": (4, 8, 16)}
    mergeable: ClassVar[bool] = True
    served_by: ClassVar[str] = "as LoRA"

    rank: int = 8
    """Width of each of the two bottlenecks."""
    alpha: int = 8
    """Strength of the update: it is scaled by alpha / rank."""

    def __post_init__(self) -> None:
        check_least(self, 1, "rank", "alpha", hint="it must be 1 or more; 8 is usual")

    def config(self, head: list[str]) -> Any:
        """``LoHaConfig``."""
        from peft import LoHaConfig

        return LoHaConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            alpha=self.alpha,
            target_modules="all-linear",
            modules_to_save=head or None,
        )
