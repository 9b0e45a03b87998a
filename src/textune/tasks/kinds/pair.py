"""Two texts, one label out of a closed set; one label may be the positive one."""

from dataclasses import dataclass
from typing import ClassVar

from textune.data.examples import Example
from textune.tasks.kinds.base import Kind


@dataclass(frozen=True, kw_only=True)
class Pair(Kind):
    """Two texts, one label out of a closed set; one label may be the positive one."""

    num_texts: ClassVar[int] = 2
    primary_metric: ClassVar[str] = "positive_f1"

    def input_text(self, example: Example) -> str:
        """Two numbered lines."""
        return f"Text 1: {example.texts[0]}\nText 2: {example.texts[1]}"

    def joined_text(self, example: Example) -> str:
        """Both texts, with a line break between them."""
        return f"{example.texts[0]}\n{example.texts[1]}"

    def check_labels(self, labels: list[str], positive: str | None) -> str | None:
        """A pair task must say which label F1 is about."""
        if positive is None:
            return "a pair task needs 'positive': the label whose F1 is the main score"
        return super().check_labels(labels, positive)
