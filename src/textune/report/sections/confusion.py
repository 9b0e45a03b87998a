"""What is taken for what."""

from typing import ClassVar

from textune.evaluation.metrics.label import confusion
from textune.report.blocks import Block, Column, Details, Figure, Row, Table
from textune.report.compare import Entry
from textune.report.heat_maps import Shade, heat_chart
from textune.report.sections.base import Context, Section

MAX_PANELS = 9
MAX_CELLS = 900
"""As many heat maps, best first, as stay within both."""
UNREADABLE = "unreadable"


class Confusion(Section):
    """Gold label by answered label."""

    title: ClassVar[str] = "Confusions"
    order: ClassVar[int] = 70

    def blocks(self, context: Context) -> list[Block]:
        """A heat map for each of the best contenders, and the counts.

        Nothing for entities and sets of labels.
        """
        task = context.comparison.loaded.run.task
        if task.kind.answer_form not in ("label", "number"):
            return []
        labels = list(task.labels)
        num_panels = max(1, min(MAX_PANELS, MAX_CELLS // len(labels) ** 2))
        entries = context.comparison.entries[:num_panels]
        if not entries:
            return []
        counts = [_counts(context, entry) for entry in entries]
        columns = [*labels, UNREADABLE] if _has_unreadable(counts) else labels
        shades = [
            Shade(entry.label, gold, answer, number / max(1, sum(row)), str(number))
            for entry, table in zip(entries, counts, strict=True)
            for gold, row in zip(labels, table, strict=True)
            for answer, number in zip(columns, row, strict=False)
        ]
        spec = heat_chart(shades, rows=labels, columns=columns, titles=("gold", "answer"))
        caption = (
            f"Number of examples by gold label and answer, first seed; shade is the share of the "
            f"gold label.{context.cut(num_panels)}"
        )
        rows = tuple(Row((s.panel, s.row, s.column, int(s.text))) for s in shades)
        heads = (Column("Approach"), Column("Gold"), Column("Answer"), Column("Examples", "count"))
        table = Table("confusions", "The same as numbers.", heads, rows)
        return [Figure("confusions", caption, spec), Details("The counts", (table,))]


def _counts(context: Context, entry: Entry) -> list[list[int]]:
    loaded = context.comparison.loaded
    label_of = loaded.run.task.kind.label_of
    gold = [label_of(answer) for answer in loaded.tested.answers]
    answers = [None if a is None else label_of(a) for a in entry.contender.answers[0]]
    counts: list[list[int]] = confusion(gold, answers, list(loaded.run.task.labels)).tolist()
    return counts


def _has_unreadable(counts: list[list[list[int]]]) -> bool:
    return any(row[-1] for table in counts for row in table)
