"""Comma-separated text with a header line (RFC 4180)."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.data.examples import Example
from textune.exchange.rows import row_columns, row_of
from textune.exchange.writers.base import Writer
from textune.tasks.base import Columns, TaskSpec


@dataclass(frozen=True, kw_only=True)
class Csv(Writer):
    """Rows with id, texts, label or entities (as JSON), and group, comma-separated."""

    ending: ClassVar[str] = ".csv"

    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """The header, then a row for each example."""
        columns = row_columns(task)
        rows = [row_of(task, example, columns) for example in examples]
        if rows:
            yield _line(list(rows[0]))
        for row in rows:
            yield _line([_cell(value) for value in row.values()])

    def columns(self, task: TaskSpec) -> Columns:
        """Those of the rows."""
        return row_columns(task)


def _cell(value: object) -> str:
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _line(cells: Sequence[str]) -> str:
    """A row that ends with LF; ``csv`` quotes a CR only when its own line ends hold one."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerow(cells)
    return stream.getvalue().removesuffix("\r\n") + "\n"
