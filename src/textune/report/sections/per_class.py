"""Which labels are hard."""

from collections.abc import Sequence
from typing import ClassVar

from textune.report.blocks import Block, Column, Details, Figure, Table
from textune.report.charts import MAX_ROWS
from textune.report.compare import Entry
from textune.report.heat_maps import Shade, heat_chart
from textune.report.sections.base import Context, Section

PARTS = ("precision", "recall", "f1")


class PerClass(Section):
    """F1 of each label, and precision and recall folded away."""

    title: ClassVar[str] = "By label"
    order: ClassVar[int] = 60

    def blocks(self, context: Context) -> list[Block]:
        """Heat map of F1, table of everything; nothing for numbers on a scale."""
        entries = context.comparison.entries[:MAX_ROWS]
        if not entries or context.comparison.loaded.run.task.kind.is_graded:
            return []
        labels = list(context.comparison.loaded.run.task.labels)
        shades = [
            Shade("", entry.label, label, value, f"{value * 100:.0f}")
            for entry in entries
            for label in labels
            if (value := entry.metrics.get(f"f1:{label}")) is not None
        ]
        spec = heat_chart(
            shades, rows=[e.label for e in entries], columns=labels, titles=("", "label")
        )
        caption = (
            "F1 of each label in percent, mean over folds and seeds; best approach on top."
            f"{context.cut(MAX_ROWS)}"
        )
        return [
            Figure("per_class", caption, spec),
            Details(
                "Precision, recall and F1 of every label", (_table(context, entries, labels),)
            ),
        ]


def _table(context: Context, entries: Sequence[Entry], labels: list[str]) -> Table:
    loaded = context.comparison.loaded
    kind = loaded.run.task.kind
    gold = [label for answer in loaded.tested.answers for label in kind.labels_in(answer)]
    rows = tuple(
        context.row(
            entry,
            entry.label,
            label,
            *(entry.metrics.get(f"{part}:{label}") for part in PARTS),
            gold.count(label),
        )
        for entry in entries
        for label in labels
    )
    columns = (
        Column("Approach"),
        Column("Label"),
        *(context.score_column(title) for title in ("Precision", "Recall", "F1")),
        Column("Entities" if kind.has_entities else "Examples", "count"),
    )
    return Table("per_class", "Every label, mean over folds and seeds.", columns, rows)
