"""Wording: how a prompt says what is asked. The default is what tuned models are trained with."""

from dataclasses import dataclass
from typing import Literal

from textune.core.registry import Spec


@dataclass(frozen=True, kw_only=True)
class Wording(Spec):
    """How a prompt says what is asked; no choice changes what the task means."""

    instruction: str = ""
    """Stands in the place of the task's own instruction; empty keeps that."""
    definitions: bool = True
    """Whether labels stand with their definitions."""
    order: Literal["task", "reversed"] = "task"
    """Order in which the labels are listed; columns of scores keep the task's."""
    place: Literal["before", "after"] = "before"
    """Whether the instruction opens the conversation or follows the input. Behind the input it is
    computed again for every example."""

    def label(self) -> str:
        """What differs from the default, for tables; empty where nothing does."""
        parts = ["own instruction"] if self.instruction else []
        parts += [] if self.definitions else ["no definitions"]
        parts += ["labels reversed"] if self.order == "reversed" else []
        parts += ["instruction last"] if self.place == "after" else []
        return ", ".join(parts)


DEFAULT = Wording()
