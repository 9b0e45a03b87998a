"""BitFit: only biases train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.core.errors import ImpossibleError
from textune.methods.base import SubsetMethod


@dataclass(frozen=True, kw_only=True)
class BitFit(SubsetMethod):
    """Bias-term fine-tuning (Ben Zaken, Ravfogel and Goldberg, 2022).

    Every bias ``b`` of ``W x + b`` and of the norms trains, all else is frozen (section 3). Many
    decoders have no bias anywhere: there each linear layer but the vocabulary's gets one, which
    starts at zero, so training starts at the base model.
    """

    paper: ClassVar[str] = "arXiv:2106.10199"
    lr: ClassVar[float] = 5e-3
    trained_share: ClassVar[float | None] = 0.00115
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "transformers"

    add: bool = True
    """Give linear layers a bias where the model has none at all; otherwise it is impossible."""

    def parts(self, model: Any) -> list[str]:
        """All biases that the model has, or else those that its linear layers could have."""
        from torch import nn

        found = [name for name, _ in model.named_parameters() if name.endswith(".bias")]
        if found:
            return found
        if not self.add:
            raise ImpossibleError(
                f"bitfit trains nothing on {model.config.model_type}: it has no biases",
                hint="let it add some: {bitfit: {add: true}}",
            )
        head = model.get_output_embeddings()
        return [
            f"{name}.bias"
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and module is not head
        ]
