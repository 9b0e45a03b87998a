"""LoKr: an update that is the Kronecker product of two small matrices."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class LoKr(PeftMethod):
    """Low-rank Kronecker product (Edalati et al., 2022, KronA; Yeh et al., 2024, LyCORIS).

    A frozen weight ``W`` becomes ``W + alpha / rank * kron(C, B @ A)`` (LyCORIS, section 3.2); the
    sides of ``C`` are divisors of those of ``W``, as near to their square roots as can be. All
    three train; ``C`` starts at zero, so training starts at the base model. Where ``B @ A`` would
    be no smaller, one full matrix stands in its place.
    """

    paper: ClassVar[str] = "arXiv:2212.10650, arXiv:2309.14859"
    lr: ClassVar[float] = 1e-2
    trained_share: ClassVar[float | None] = 0.0016
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"rank": (4, 8, 16)}
    mergeable: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"

    rank: int = 8
    """Width of the bottleneck between ``A`` and ``B``."""
    alpha: int = 8
    """Strength of the update: it is scaled by alpha / rank."""

    def __post_init__(self) -> None:
        check_least(self, 1, "rank", "alpha", hint="it must be 1 or more; 8 is usual")

    def config(self, head: list[str]) -> Any:
        """``LoKrConfig``."""
        from peft import LoKrConfig

        return LoKrConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            alpha=self.alpha,
            target_modules="all-linear",
            modules_to_save=head or None,
        )
