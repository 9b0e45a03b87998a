"""Prefix tuning: keys and values before the prompt in every layer, produced by a small network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textune.methods.base import PeftMethod
from textune.results.record import Setting

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Prefix(PeftMethod):
    """Prefix tuning (Li and Liang, 2021).

    ``tokens`` keys and values stand before the prompt in every layer. In training a network with
    one hidden layer produces them from a small table (section 4.3); only what it produces is
    saved, so a loaded prefix cannot be trained on.
    """

    paper: ClassVar[str] = "arXiv:2101.00190"
    lr: ClassVar[float] = 1e-3
    trained_share: ClassVar[float | None] = 0.0428
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"tokens": (8, 20, 50)}
    quantised_base: ClassVar[bool] = True
    starts_at_base: ClassVar[bool] = False
    served_by: ClassVar[str] = "transformers"

    tokens: int = 20
    """Number of virtual tokens."""
    hidden: int = 512
    """Width of the network's hidden layer."""

    def config(self, head: list[str]) -> Any:
        """``PrefixTuningConfig`` with projection."""
        from peft import PrefixTuningConfig

        return PrefixTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.tokens,
            prefix_projection=True,
            encoder_hidden_size=self.hidden,
        )

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """The network beside the model."""
        from textune.engine.states import sized

        return self.wrap(model, sized(self.config(head), model))
