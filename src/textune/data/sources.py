"""Files to examples: which reader, which column is what, and every row checked.

What is not covered: where files are looked for, and what a task is (see ``tasks``).
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from textune.core.errors import DataError, did_you_mean
from textune.data.entities import entity, entity_cells, write_entities
from textune.data.examples import Answer, Example, Examples
from textune.data.label_sets import label_cells, write_labels
from textune.data.readers.base import Row, reader_for

AnswerForm = Literal["label", "labels", "number", "entities"]
"""What an answer is."""
TextColumns = str | tuple[str, ...]
"""Where one text is: a column, or several whose texts are joined by a space, empty ones left out.

A cell holds a string or a list of strings, which is joined by a space too."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the columns of a file mean."""

    text_columns: tuple[TextColumns, ...]
    """The columns of the texts, in order: one, or two for a pair."""
    answer_column: str | None = "label"
    """The column of the gold label; None: no answers are read."""
    id_column: str | None = None
    """The column of a unique id; None: ids are made from the texts."""
    group_column: str | None = None
    """The column of what must not be split; blank cells belong to no group."""
    labels: tuple[Answer, ...] = ()
    """The label names allowed; empty: any."""
    values: Mapping[str, Answer] = field(default_factory=dict)
    """Raw value of the answer column -> label; labels also stand for themselves."""
    answer_form: AnswerForm = "label"
    """What the answer column holds: a label, lists of labels, numbers between the first label and
    the last, or lists of entities, whose types are the labels."""

    @property
    def columns(self) -> list[str]:
        """All columns that a file must have."""
        texts = [name for columns in self.text_columns for name in names_of(columns)]
        named = (*texts, self.answer_column, self.id_column, self.group_column)
        return [column for column in named if column is not None]


def names_of(columns: TextColumns) -> tuple[str, ...]:
    """The names of the columns that one text is made of."""
    return (columns,) if isinstance(columns, str) else columns


def column_names(path: Path, format: str = "auto") -> list[str]:
    """The columns of a file's first row.

    Raises:
        DataError: the file cannot be read or has no rows.
    """
    for _, row in reader_for(path, format).rows(path):
        return list(row)
    raise _no_rows(path)


def read_examples(path: Path, layout: Layout, *, format: str = "auto") -> Examples:
    """All examples of a file, every row checked.

    Raises:
        DataError: the first fault, with its line or row, and how many more rows are bad.
    """
    rows: list[Example] = []
    faults: list[DataError] = []
    for item in _parsed(path, layout, format):
        if isinstance(item, DataError):
            faults.append(item)
        else:
            rows.append(item)
    if faults:
        more = f" ({len(faults) - 1} more bad rows)" if len(faults) > 1 else ""
        raise DataError(faults[0].message + more, hint=faults[0].hint)
    return Examples(tuple(rows), source=str(path))


def iter_examples(path: Path, layout: Layout, *, format: str = "auto") -> Iterator[Example]:
    """Yield examples one by one, for files that need not fit into memory.

    Only ids are kept in memory. The ids are those that ``read_examples`` gives.

    Raises:
        DataError: at the first fault; what came before it was yielded.
    """
    for item in _parsed(path, layout, format):
        if isinstance(item, DataError):
            raise item
        yield item


def content_id(texts: tuple[str, ...]) -> str:
    """Sixteen hex digits over the texts in order."""
    content = json.dumps(texts, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _parsed(path: Path, layout: Layout, format: str) -> Iterator[Example | DataError]:
    """One item a row; a fault of the file itself is the last item."""
    reader = reader_for(path, format)
    parser = _RowParser(layout, reader.unit)
    first = True
    try:
        for number, row in reader.rows(path):
            if first:
                _check_columns(path, row, layout)
                first = False
            yield parser.parse(number, row, place=f"{path}, {reader.unit} {number}")
        if first:
            raise _no_rows(path)
    except DataError as error:
        yield error


class _RowParser:
    """Turns rows into examples and remembers ids, to keep them unique."""

    def __init__(self, layout: Layout, unit: str) -> None:
        self.layout = layout
        self.unit = unit
        self.allowed = {label: label for label in layout.labels} | dict(layout.values)
        self.numbers: dict[str, int] = {}
        self.repeats: Counter[str] = Counter()

    def parse(self, number: int, row: Row, *, place: str) -> Example | DataError:
        """The example of a row, or what is wrong with the row."""
        try:
            texts = tuple(_text(row, columns) for columns in self.layout.text_columns)
            answer = self._answer(row, texts[0])
            group = self.layout.group_column and _scalar(row, self.layout.group_column)
            name = self._id(row, texts, number)
        except DataError as error:
            return DataError(f"{place}: {error.message}", hint=error.hint)
        return Example(name, texts, answer, group or None)

    def _answer(self, row: Row, text: str) -> Answer | None:
        column = self.layout.answer_column
        if column is None:
            return None
        if self.layout.answer_form == "entities":
            return self._entities(row, column, text)
        if self.layout.answer_form == "labels":
            named = label_cells(_cell(row, column), column)
            return write_labels(self._label(name, column) for name in named)
        value = _scalar(row, column).strip()
        if not value:
            raise DataError(f"no answer: the column {column!r} is empty", hint="label this row")
        is_number = self.layout.answer_form == "number"
        return self._number(value, column) if is_number else self._label(value, column)

    def _number(self, value: str, column: str) -> Answer:
        low, high = float(self.layout.labels[0]), float(self.layout.labels[-1])
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            raise DataError(
                f"{value!r} in the column {column!r} is no number from {low:g} to {high:g}",
                hint="the scale goes from the task's first label to its last",
            )
        return f"{number:g}"

    def _entities(self, row: Row, column: str, text: str) -> Answer:
        found = [
            entity(text, start, end, self._label(type, column))
            for start, end, type in entity_cells(_cell(row, column), column)
        ]
        return write_entities(found)

    def _label(self, value: str, column: str) -> Answer:
        if not self.allowed:
            return value
        if value not in self.allowed:
            raise DataError(
                f"unknown label {value!r} in the column {column!r}",
                hint=did_you_mean(value, self.allowed),
            )
        return self.allowed[value]

    def _id(self, row: Row, texts: tuple[str, ...], number: int) -> str:
        column = self.layout.id_column
        if column is None:
            name = content_id(texts)
            self.repeats[name] += 1
            return name if self.repeats[name] == 1 else f"{name}-{self.repeats[name]}"
        name = _scalar(row, column)
        if not name.strip():
            raise DataError(f"no id: the column {column!r} is empty", hint="give every row an id")
        if name in self.numbers:
            raise DataError(
                f"the id {name!r} is already that of {self.unit} {self.numbers[name]}",
                hint="give every row its own id, or name no id column",
            )
        self.numbers[name] = number
        return name


def _check_columns(path: Path, row: Row, layout: Layout) -> None:
    for column in layout.columns:
        if column not in row:
            hint = did_you_mean(column, row)
            raise DataError(f"{path} has no column {column!r}", hint=hint)


def _no_rows(path: Path) -> DataError:
    return DataError(f"{path} holds no rows", hint="check that it is the right file")


def _cell(row: Row, column: str) -> object:
    if column not in row:
        raise DataError(f"no column {column!r}", hint=did_you_mean(column, row))
    return row[column]


def _text(row: Row, columns: TextColumns) -> str:
    names = names_of(columns)
    cells = [_text_cell(row, name) for name in names]
    filled = [cell for cell in cells if cell.strip()]
    if not filled:
        noun = "columns" if len(names) > 1 else "column"
        what = f"the text in the {noun} {' and '.join(map(repr, names))} is empty"
        raise DataError(what, hint="drop or fill this row")
    return " ".join(filled)


def _text_cell(row: Row, column: str) -> str:
    """A string as it is, a list of strings joined by a space, null as nothing."""
    value = _cell(row, column)
    parts = value if isinstance(value, list) else [] if value is None else [value]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        odd = next(part for part in parts if not isinstance(part, str))
        found = f"a list with {_kind(odd)}" if isinstance(value, list) else _kind(odd)
        what = f"the column {column!r} holds {found}, not text"
        raise DataError(what, hint="write a string, or a list of strings")
    return _encodable(" ".join(texts), column)


def _scalar(row: Row, column: str) -> str:
    """A cell as text: numbers and truth values as JSON writes them, null and NaN as nothing."""
    value = _cell(row, column)
    if value is None or value != value:  # NaN is the one value unequal to itself
        return ""
    if isinstance(value, str):
        return _encodable(value, column)
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise DataError(
        f"the column {column!r} holds {_kind(value)}, not text or a number",
        hint="name another column, or write one value a row",
    )


def _encodable(value: str, column: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"the column {column!r} holds half of a surrogate pair",
            hint="write the character itself, or both halves",
        ) from None
    return value


def _kind(value: object) -> str:
    return f"a value of type {type(value).__name__}"
