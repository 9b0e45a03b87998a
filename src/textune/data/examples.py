"""Example and Examples: what every floor above passes around."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

Answer = str
"""What a task predicts for one example: the name of a label."""


@dataclass(frozen=True, slots=True)
class Example:
    """One input with its gold answer.

    ``texts`` holds one text (classify) or two in order (pair). ``answer`` is None when unknown.
    ``group`` names what must not be split between training and test (a paper, a question).
    """

    id: str
    texts: tuple[str, ...]
    answer: Answer | None = None
    group: str | None = None


@dataclass(frozen=True)
class Examples:
    """An ordered set of examples with unique ids and the name of where they came from."""

    rows: tuple[Example, ...]
    source: str = field(default="memory", compare=False)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.rows)

    def take(self, indices: Sequence[int]) -> "Examples":
        """The examples at these positions, in the order given."""
        return Examples(tuple(self.rows[i] for i in indices), source=self.source)

    @property
    def answers(self) -> list[Answer]:
        """Gold answers in order; every example must have one."""
        answers = [row.answer for row in self.rows]
        assert all(a is not None for a in answers), "an example without gold answer"
        return [a for a in answers if a is not None]

    @cached_property
    def content_hash(self) -> str:
        """Sixteen hex digits over ids, texts, answers and groups, in order; not file names."""
        digest = hashlib.sha256()
        for row in self.rows:
            line = json.dumps([row.id, *row.texts, row.answer, row.group], ensure_ascii=False)
            digest.update(line.encode() + b"\n")
        return digest.hexdigest()[:16]
