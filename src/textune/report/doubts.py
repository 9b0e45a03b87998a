"""Marks for names of approaches whose model may have seen the test data, in every table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from textune.report.blocks import Block, Details, Marked, Page, Row, Table, Value
from textune.report.contenders import Contender
from textune.results.run import MAY_HAVE_SEEN

DAGGER = "\u2020"

Doubts = Mapping[str, str]
"""Label of a contender -> why it may have seen the test data."""


def doubts_of(contenders: Sequence[Contender]) -> Doubts:
    """Of those that may have."""
    return {c.label: c.info.doubt for c in contenders if c.info.doubt is not None}


def daggered(label: str, doubts: Doubts) -> str:
    """A label as charts and tables show it."""
    return f"{label} {DAGGER}" if label in doubts else label


def listed(labels: Sequence[str], doubts: Doubts) -> Value:
    """Labels in one cell, None for none."""
    plain = ", ".join(labels)
    reasons = tuple(dict.fromkeys(doubts[label] for label in labels if label in doubts))
    if not reasons:
        return plain or None
    return Marked(", ".join(daggered(label, doubts) for label in labels), plain, reasons)


def footnote(table: Table) -> str:
    """What stands under a table with marks, else nothing."""
    return f"{DAGGER} {MAY_HAVE_SEEN}: {'; '.join(table.doubts)}." if table.doubts else ""


def marked(page: Page, doubts_in: Callable[[Row], Doubts]) -> Page:
    """The page with marks wherever a cell is the label of what is doubted in its row."""

    def in_table(table: Table) -> Table:
        rows = []
        for row in table.rows:
            doubts = doubts_in(row)
            cells = (
                listed([c], doubts) if isinstance(c, str) and c in doubts else c for c in row.cells
            )
            rows.append(replace(row, cells=tuple(cells)))
        return replace(table, rows=tuple(rows))

    def in_block(block: Block) -> Block:
        match block:
            case Table():
                return in_table(block)
            case Details():
                return replace(block, blocks=tuple(map(in_block, block.blocks)))
        return block

    chapters = (replace(c, blocks=tuple(map(in_block, c.blocks))) for c in page.chapters)
    return replace(page, chapters=tuple(chapters))
