"""One JSON object a line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.data.examples import Example
from textune.exchange.rows import row_columns, row_of
from textune.exchange.writers.base import Writer, json_line
from textune.tasks.base import Columns, TaskSpec


@dataclass(frozen=True, kw_only=True)
class Jsonl(Writer):
    """Rows with id, texts, label or entities, and group, one JSON object a line."""

    ending: ClassVar[str] = ".jsonl"

    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """A row a line."""
        columns = row_columns(task)
        return (json_line(row_of(task, example, columns)) for example in examples)

    def columns(self, task: TaskSpec) -> Columns:
        """Those of the rows."""
        return row_columns(task)
