"""(IA)3: learned scales on keys, values and the feed-forward layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textune.core.errors import ImpossibleError
from textune.methods.base import PeftMethod

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class IA3(PeftMethod):
    """Infused adapter by inhibiting and amplifying inner activations (Liu et al., 2022).

    Keys, values and the inputs of the feed-forward output layer are multiplied element by element
    by learned vectors (section 3.3) that start at one, so training starts at the base model.
    """

    paper: ClassVar[str] = "arXiv:2205.05638"
    lr: ClassVar[float] = 1e-2
    trained_share: ClassVar[float | None] = 0.000428
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"

    targets: tuple[str, ...] | Literal["auto"] = "auto"
    """Layers whose outputs are scaled; ``auto`` finds the projections of keys and values."""
    input_targets: tuple[str, ...] | Literal["auto"] = "auto"
    """Layers whose inputs are scaled; ``auto`` finds the output layers of feed-forward."""

    def config(self, head: list[str]) -> Any:
        """``IA3Config``; its layers are found in the model."""
        from peft import IA3Config

        return IA3Config(task_type="CAUSAL_LM", modules_to_save=head or None)

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Scales beside the layers.

        Raises:
            ImpossibleError: layers for keys and values, or for feed-forward, are not to be found.
        """
        config = self.config(head)
        outputs = _keys_and_values(model) if self.targets == "auto" else set(self.targets)
        inputs = _contractions(model) if self.input_targets == "auto" else set(self.input_targets)
        config.target_modules, config.feedforward_modules = outputs | inputs, inputs
        return self.wrap(model, config)


def _keys_and_values(model: Any) -> set[str]:
    """Names of the layers that make keys and values, where they are layers of their own."""
    found = {name.rpartition(".")[2] for name, _ in _linear(model)} & {"k_proj", "v_proj"}
    if len(found) < 2:
        raise ImpossibleError(
            f"ia3 cannot find the projections of keys and values of {model.config.model_type}",
            hint="name them: {ia3: {targets: [...]}}; where one layer makes queries too, the "
            "method as published is not possible",
        )
    return found


def _contractions(model: Any) -> set[str]:
    """Names of the layers that lead from the width of feed-forward back to that of the model."""
    config = model.config.get_text_config()
    shape = getattr(config, "intermediate_size", None), config.hidden_size
    found = {
        name.rpartition(".")[2]
        for name, layer in _linear(model)
        if (layer.in_features, layer.out_features) == shape and ".mlp." in name
    }
    if not found:
        raise ImpossibleError(
            f"ia3 cannot find the output layer of feed-forward of {model.config.model_type}",
            hint="name it: {ia3: {input_targets: [...]}}",
        )
    return found


def _linear(model: Any) -> list[tuple[str, Any]]:
    from torch import nn

    return [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
