"""One text, one label out of a closed set."""

from dataclasses import dataclass
from typing import ClassVar

from textune.data.examples import Example
from textune.tasks.kinds.base import Kind


@dataclass(frozen=True, kw_only=True)
class Classify(Kind):
    """One text, one label out of a closed set."""

    num_texts: ClassVar[int] = 1
    primary_metric: ClassVar[str] = "macro_f1"

    def input_text(self, example: Example) -> str:
        """``Text: ...``."""
        return f"Text: {example.texts[0]}"

    def joined_text(self, example: Example) -> str:
        """The text itself."""
        return example.texts[0]
