"""What a report is made of: a section returns blocks and knows no format."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

Unit = Literal[
    "label",
    "text",
    "score",
    "points",
    "count",
    "number",
    "seconds",
    "bytes",
    "price",
    "joules",
    "probability",
]
"""What a column holds. ``label`` stays on one line, ``text`` wraps; ``score`` is a share of one
and ``points`` a difference of two, both shown times 100; ``number`` is any other quantity."""


@dataclass(frozen=True)
class Range:
    """A range of numbers in the unit of its column."""

    low: float
    high: float


@dataclass(frozen=True)
class Scored:
    """A score and its interval in one cell, in the unit of its column."""

    score: float
    low: float | None
    high: float | None
    stands_out: bool
    """Set in bold, e.g. because nothing in its column is better."""


@dataclass(frozen=True)
class Link:
    """Words that lead to another report."""

    text: str
    folder: str
    """Where that report is, seen from this one's folder."""


@dataclass(frozen=True)
class Marked:
    """Words that name what may have seen the test data."""

    text: str
    """With a dagger behind each such name."""
    plain: str
    doubts: tuple[str, ...]
    """What speaks for it: sentences without their full stop."""


Value = str | int | float | Range | Scored | Link | Marked | None
"""What a cell of a table holds; None is shown as a dash and written as nothing."""


@dataclass(frozen=True)
class Column:
    """The head of a table column."""

    title: str
    unit: Unit = "label"
    decimals: int = 1
    """Digits after the point for scores and points."""
    help: str = ""
    """One sentence for readers, shown when the pointer rests on the title."""


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    cells: tuple[Value, ...]
    marked: bool = False
    """Stands out, e.g. because it is tied with the best."""
    colour: str | None = None
    """Colour of the dot before the first cell, ``#rrggbb``."""


@dataclass(frozen=True)
class Table:
    """Rows under columns; ``name`` names its files."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        assert all(len(row.cells) == len(self.columns) for row in self.rows), self.name

    @property
    def doubts(self) -> tuple[str, ...]:
        """What its marks mean, each once."""
        marked = (c for row in self.rows for c in row.cells if isinstance(c, Marked))
        return tuple(dict.fromkeys(doubt for cell in marked for doubt in cell.doubts))

    def without_empty_columns(self) -> "Table":
        """The table without columns that hold nothing in any row."""
        kept = [
            at
            for at in range(len(self.columns))
            if any(row.cells[at] not in (None, "") for row in self.rows)
        ]
        rows = tuple(replace(row, cells=tuple(row.cells[at] for at in kept)) for row in self.rows)
        return replace(self, columns=tuple(self.columns[at] for at in kept), rows=rows)


@dataclass(frozen=True)
class Figure:
    """A chart as a Vega-Lite description; ``name`` names its files."""

    name: str
    caption: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text."""

    text: str
    role: Literal["paragraph", "lead", "note"] = "paragraph"
    """``lead`` is the answer of the report, ``note`` an aside in small print."""


@dataclass(frozen=True)
class Points:
    """A list of short plain sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away under a title."""

    title: str
    blocks: tuple["Block", ...]


Block = Table | Figure | Text | Points | Details


@dataclass(frozen=True)
class Chapter:
    """The blocks of one section under its title; ``name`` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole report."""

    title: str
    subtitle: str
    chapters: tuple[Chapter, ...]

    def tables(self) -> list[Table]:
        """Every table, folded ones too, in reading order."""
        return [block for block in self._walk() if isinstance(block, Table)]

    def figures(self) -> list[Figure]:
        """Every figure, folded ones too, in reading order."""
        return [block for block in self._walk() if isinstance(block, Figure)]

    def _walk(self) -> Iterator[Block]:
        for chapter in self.chapters:
            yield from _flat(chapter.blocks)


def _flat(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Details):
            yield from _flat(block.blocks)
        else:
            yield block
