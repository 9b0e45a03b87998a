"""Kind: what is predicted, what the input looks like, which metrics judge it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from textune.core.registry import Plugin, Registry
from textune.data.examples import Answer, Example


@dataclass(frozen=True, kw_only=True)
class Kind(Plugin, ABC):
    """One sort of text-understanding task."""

    num_texts: ClassVar[int]
    """How many texts an example has."""
    min_labels: ClassVar[int] = 2
    """Fewest labels of a task."""
    has_entities: ClassVar[bool] = False
    """Whether an answer is the entities of a text, not a label."""
    metrics: ClassVar[str] = "label"
    """How answers are judged: a module of ``textune.evaluation.metrics``."""
    primary_metric: ClassVar[str]
    """The metric that ranks approaches, one of those."""
    primary_with_positive: ClassVar[str | None] = None
    """The same for tasks with a positive label, where it is another one."""

    @abstractmethod
    def input_text(self, example: Example) -> str:
        """The input as it stands in a prompt, without instruction and answer."""

    @abstractmethod
    def joined_text(self, example: Example) -> str:
        """The input as one plain text, for approaches that read no prompt."""

    def labels_in(self, answer: Answer) -> tuple[str, ...]:
        """The labels that an answer names."""
        return (answer,)

    def asked(self, num_labels: int) -> str:
        """What is predicted, in a clause."""
        texts = "a pair of texts" if self.num_texts == 2 else "a text"
        return f"{texts} gets one of {num_labels} labels"

    def shown(self, answer: Answer) -> str:
        """An answer for people."""
        return answer

    def stratum(self, answer: Answer) -> str:
        """What parts of the data should hold equal shares of."""
        return answer

    def check_labels(self, labels: list[str], positive: str | None) -> str | None:
        """What is wrong with a task's labels for this kind, or None."""
        if positive is not None and positive not in labels:
            return f"the positive label {positive!r} is not one of the labels"
        return None


REGISTRY = Registry("textune.tasks.kinds", Kind, noun="kind")
