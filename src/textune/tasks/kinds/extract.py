"""One text, any number of typed stretches of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.data.entities import read_entities, write_entities
from textune.data.entity_lines import NONE, lines_grammar, read_lines, write_lines
from textune.data.examples import Answer, Example
from textune.data.sources import AnswerForm
from textune.tasks.kinds.base import Kind


@dataclass(frozen=True, kw_only=True)
class Extract(Kind):
    """One text, any number of typed stretches of it: entities; the labels are their types."""

    num_texts: ClassVar[int] = 1
    min_labels: ClassVar[int] = 1
    share_right: ClassVar[str] = "exact matches"
    metrics: ClassVar[str] = "entities"
    primary_metric: ClassVar[str] = "micro_f1"
    answer_form: ClassVar[AnswerForm] = "entities"
    is_written: ClassVar[bool] = True
    asks_for: ClassVar[str] = "Types:"
    form: ClassVar[str] = (
        "Write each one on a line of its own, in the order of the text: its type, a colon and its "
        f"exact words. Write {NONE} if there is none."
    )

    def input_text(self, example: Example) -> str:
        """``Text: ...``."""
        return f"Text: {example.texts[0]}"

    def joined_text(self, example: Example) -> str:
        """The text itself."""
        return example.texts[0]

    def labels_in(self, answer: Answer) -> tuple[str, ...]:
        """The types of its entities, one for each."""
        return tuple(entity.type for entity in read_entities(answer))

    def written(self, answer: Answer, words: Mapping[str, str]) -> str:
        """A line for each entity."""
        return write_lines(read_entities(answer), words)

    def grammar(self, example: Example, words: Mapping[str, str]) -> str:
        """Such lines, of words that stand in the text."""
        return lines_grammar(example.texts[0], words)

    def read(self, written: str, example: Example, words: Mapping[str, str]) -> Answer | None:
        """The entities of such lines, found again in the text."""
        found = read_lines(written, example.texts[0], words)
        return None if found is None else write_entities(found)

    def demonstrated(self, labels: Sequence[str]) -> list[str]:  # noqa: ARG002  # of any type
        """Texts with entities."""
        return ["some"]

    def asked(self, num_labels: int) -> str:
        """Entities."""
        types = "one type" if num_labels == 1 else f"{num_labels} types"
        return f"a text has any number of entities, of {types}"

    def shown(self, answer: Answer) -> str:
        """``surface (type)`` of each."""
        found = [f"{entity.surface} ({entity.type})" for entity in read_entities(answer)]
        return "; ".join(found) or "no entities"

    def stratum(self, answer: Answer) -> str:
        """Whether there is any entity: whole answers hardly ever recur."""
        return "some" if read_entities(answer) else "none"
