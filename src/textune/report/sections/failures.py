"""What did not work, and what is missing."""

from typing import ClassVar

from textune.report.blocks import Block, Column, Row, Table
from textune.report.sections.base import Context, Section


class Failures(Section):
    """Contenders that are incomplete and cells that failed, only if there are any."""

    title: ClassVar[str] = "Failures"
    order: ClassVar[int] = 100

    def blocks(self, context: Context) -> list[Block]:
        """Two tables at most."""
        loaded = context.comparison.loaded
        return [*_incomplete(context), *([_failed(context)] if loaded.failures else [])]


def _incomplete(context: Context) -> list[Block]:
    rows = tuple(
        Row((i.label, i.num_done, i.num_planned, i.reason)) for i in context.comparison.incomplete
    )
    columns = (
        Column("Approach"),
        Column("Cells done", "count"),
        Column("Cells planned", "count"),
        Column("Why it is not compared", "text"),
    )
    return [Table("incomplete", "Left out of all comparisons.", columns, rows)] if rows else []


def _failed(context: Context) -> Table:
    rows = tuple(
        Row(
            (
                record.cell.approach,
                record.cell.size,
                record.cell.fold,
                record.cell.seed,
                record.failure.kind,
                record.failure.message,
                record.failure.hint,
            )
        )
        for record in context.comparison.loaded.failures
        if record.failure
    )
    columns = (
        Column("Approach"),
        Column("Size", "count"),
        Column("Fold", "count"),
        Column("Seed", "count"),
        Column("Kind"),
        Column("Message", "text"),
        Column("Hint", "text"),
    )
    return Table("failed_cells", "Cells that failed.", columns, rows)
