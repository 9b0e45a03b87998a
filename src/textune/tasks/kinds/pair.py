"""Two texts, one label out of a closed set; one label may be the positive one."""

from dataclasses import dataclass, replace
from typing import ClassVar

from textune.data.examples import Example
from textune.tasks.kinds.base import Kind


@dataclass(frozen=True, kw_only=True)
class Pair(Kind):
    """Two texts, one label out of a closed set; one label may be the positive one.

    With a positive label the main score is the F1 of that label, as for duplicates; without one it
    is macro F1, as for inference.
    """

    num_texts: ClassVar[int] = 2
    primary_metric: ClassVar[str] = "macro_f1"
    primary_with_positive: ClassVar[str | None] = "positive_f1"

    symmetric: bool = False
    """Whether the order of the texts means nothing, as for duplicates: then each approach is also
    asked the other way round, and how often its answer changes is reported."""

    def turned(self, example: Example) -> Example | None:
        """The texts in the other order, where it means nothing."""
        return replace(example, texts=example.texts[::-1]) if self.symmetric else None

    def input_text(self, example: Example) -> str:
        """Two numbered lines."""
        return f"Text 1: {example.texts[0]}\nText 2: {example.texts[1]}"

    def joined_text(self, example: Example) -> str:
        """Both texts, with a line break between them."""
        return f"{example.texts[0]}\n{example.texts[1]}"
