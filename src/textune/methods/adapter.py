"""Bottleneck adapters: small networks inside every layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Adapter(PeftMethod):
    """Adapters (Houlsby et al., 2019; Pfeiffer et al., 2021; He et al., 2022).

    ``h`` becomes ``h + scale * (f(x @ D + a) @ U + b)`` with a narrow ``f`` (Houlsby, section 2.1;
    He, table 1). ``U`` and ``b`` are zero at first, so training starts at the base model. Serial
    adapters read ``x = h``, the output of a sub-layer before its residual sum; parallel ones read
    the sub-layer's input.
    """

    paper: ClassVar[str] = "arXiv:1902.00751, arXiv:2005.00247, arXiv:2110.04366"
    lr: ClassVar[float] = 3e-3
    trained_share: ClassVar[float | None] = 0.0093
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"reduction": (4, 16, 64)}
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "transformers"

    style: Literal["houlsby", "pfeiffer", "parallel"] = "pfeiffer"
    """After attention and after feed-forward, after feed-forward alone, or beside feed-forward."""
    reduction: int = 16
    """How many times narrower than the model the bottleneck is."""
    activation: Literal["relu", "gelu", "silu"] = "relu"
    """Non-linearity of the bottleneck."""
    scale: float | Literal["auto"] = "auto"
    """Factor of what an adapter adds; ``auto``: in parallel the 4 of He et al., as a sub-layer's
    input is normed and so far smaller than its output, else 1."""

    def __post_init__(self) -> None:
        check_least(self, 1, "reduction", hint="it must be 1 or more; 2 to 64 is usual")

    def config(self, head: list[str]) -> Any:
        """``BottleneckConfig``, ours."""
        from textune.models.bottleneck import BottleneckConfig

        return BottleneckConfig(
            task_type="CAUSAL_LM",
            target_modules=["self_attn", "mlp"] if self.style == "houlsby" else ["mlp"],
            modules_to_save=head or None,
            parallel=self.style == "parallel",
            reduction=self.reduction,
            activation=self.activation,
            scale=self._factor,
        )

    @property
    def _factor(self) -> float:
        if self.scale == "auto":
            return 4.0 if self.style == "parallel" else 1.0
        return self.scale

    def load(self, model: Any, folder: Path) -> nn.Module:
        """An adapter from a PEFT folder; ``peft`` learns of our type first."""
        import textune.models.bottleneck  # noqa: F401  # enters the type

        return super().load(model, folder)
