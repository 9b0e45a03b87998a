"""Layer freezing: only the top decoder layers train."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from textune.core.errors import ConfigError, ImpossibleError
from textune.methods.base import SubsetMethod
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class TopLayers(SubsetMethod):
    """Fine-tuning of the last layers alone (Lee, Tang and Lin, 2019).

    The embeddings, the layers below and the output head are frozen. A quarter of the layers was
    enough for nine tenths of what full fine-tuning gains (abstract).
    """

    paper: ClassVar[str] = "arXiv:1911.03090"
    lr: ClassVar[float] = 2e-4
    trained_share: ClassVar[float | None] = 0.211
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"layers": (2, 4, 8)}
    mergeable: ClassVar[bool] = True
    served_by: ClassVar[str] = "merged"

    layers: int | Literal["auto"] = "auto"
    """How many decoder layers train, counted from the output; ``auto`` is a quarter of them."""
    final_norm: bool = True
    """Whether the norm between the last layer and the output head trains too."""

    def __post_init__(self) -> None:
        if self.layers != "auto" and self.layers < 1:
            hint = "it must be 1 or more, or auto"
            raise ConfigError(f"layers cannot be {self.layers}", hint=hint)

    def parts(self, model: Any) -> list[str]:
        """All parameters of the last layers, and of the final norm."""
        decoder = model.get_decoder()
        if not (hasattr(decoder, "layers") and hasattr(decoder, "norm")):
            raise ImpossibleError(
                f"top_layers cannot find the layers of {model.config.model_type}",
                hint="it knows decoders that are built like Llama; choose another method",
            )
        total = len(decoder.layers)
        count = math.ceil(total / 4) if self.layers == "auto" else self.layers
        if count > total:
            raise ImpossibleError(
                f"top_layers cannot train {count} layers: the model has {total}",
                hint="choose fewer, or method full",
            )
        chosen = [*decoder.layers[total - count :], *[decoder.norm] * self.final_norm]
        ids = {id(parameter) for module in chosen for parameter in module.parameters()}
        return [name for name, parameter in model.named_parameters() if id(parameter) in ids]
