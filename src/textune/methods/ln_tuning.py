"""LN tuning: only the normalisation layers train."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textune.core.errors import ImpossibleError
from textune.methods.base import PeftMethod

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class LNTuning(PeftMethod):
    """Tuning the normalisation layers alone (Zhao et al., 2024).

    The scales (and shifts, where there are any) of every normalisation layer train (section 3),
    those of queries and keys and the last one included. They are copies, so training starts at
    the base model.
    """

    paper: ClassVar[str] = "arXiv:2312.11420"
    lr: ClassVar[float] = 5e-3
    trained_share: ClassVar[float | None] = 0.000261
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"
    harmless: ClassVar[str] = "Unsupported layer type"

    def config(self, head: list[str]) -> Any:
        """``LNTuningConfig``; its layers are found in the model."""
        from peft import LNTuningConfig

        return LNTuningConfig(task_type="CAUSAL_LM", modules_to_save=head or None)

    def apply(self, model: Any, head: list[str]) -> "nn.Module":
        """Copies of all normalisation layers that train.

        Raises:
            ImpossibleError: the model has none with weights.
        """
        config = self.config(head)
        config.target_modules = {name for name, m in model.named_modules() if _is_norm(m)}
        if not config.target_modules:
            hint = "choose another method"
            raise ImpossibleError("this model has no normalisation layer to train", hint=hint)
        return self.wrap(model, config)


def _is_norm(module: "nn.Module") -> bool:
    """Whether a module is a normalisation layer: named so by its type, with vectors alone."""
    parameters = list(module.parameters())
    return "Norm" in type(module).__name__ and bool(parameters) and parameters[0].dim() == 1
