"""P-tuning v2: trained keys and values before the prompt in every layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textune.methods.base import PeftMethod
from textune.results.record import Setting

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class PTuningV2(PeftMethod):
    """Deep prompt tuning (Liu et al., 2022, P-Tuning v2).

    ``tokens`` keys and values stand before the prompt in every layer and are all that trains
    (section 3.2), without a network that produces them (section 3.3: it does not always help).
    They start as what the model itself computes for tokens drawn from its vocabulary, so training
    starts near the model's own states.
    """

    paper: ClassVar[str] = "arXiv:2110.07602"
    lr: ClassVar[float] = 2e-2
    trained_share: ClassVar[float | None] = 0.00171
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"tokens": (8, 20, 50)}
    quantised_base: ClassVar[bool] = True
    starts_at_base: ClassVar[bool] = False
    served_by: ClassVar[str] = "transformers"

    tokens: int = 20
    """Number of virtual tokens."""

    def config(self, head: list[str]) -> Any:
        """``PrefixTuningConfig`` without projection."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=self.tokens)

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Trained states beside the model, drawn from the model itself."""
        from textune.engine.states import draw_states, sized

        adapted = self.wrap(model, sized(self.config(head), model))
        draw_states(adapted, model, self.tokens)
        return adapted
