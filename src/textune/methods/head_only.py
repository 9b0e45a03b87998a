"""Head tuning: only the projection onto the vocabulary trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import SubsetMethod


@dataclass(frozen=True, kw_only=True)
class HeadOnly(SubsetMethod):
    """A linear probe: only the last linear layer trains (Kumar et al., 2022).

    The features of the frozen model are taken as they are; what is learned is how they map onto
    answer tokens. Where the head is tied to the input embeddings, those stay as they are.
    """

    paper: ClassVar[str] = "arXiv:2202.10054"
    lr: ClassVar[float] = 2e-3
    trained_share: ClassVar[float | None] = 0.174
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "transformers"

    def parts(self, model: Any) -> list[str]:
        """The head's weight, and its bias where it has one."""
        head = model.get_output_embeddings()
        path = next(name for name, module in model.named_modules() if module is head)
        return [f"{path}.{name}" for name, _ in head.named_parameters()]
