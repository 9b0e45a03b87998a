"""What more training examples bring."""

from typing import ClassVar

from textune.report.blocks import Block, Figure
from textune.report.charts import curve_chart
from textune.report.sections.base import Context, Section


class LearningCurve(Section):
    """Score against training size, where a study varies it."""

    title: ClassVar[str] = "Learning curve"
    order: ClassVar[int] = 50

    def blocks(self, context: Context) -> list[Block]:
        """One chart, or nothing when no approach has two sizes."""
        comparison = context.comparison
        entries = [entry for entry in comparison.entries if entry.contender.size > 0]
        sizes: dict[str, set[int]] = {}
        for entry in entries:
            sizes.setdefault(entry.contender.approach, set()).add(entry.contender.size)
        if not any(len(each) > 1 for each in sizes.values()):
            return []
        marks = [
            context.mark(e, filled=e.label in comparison.tied, x=e.contender.size) for e in entries
        ]
        caption = (
            f"{context.metric} by number of training examples; filled points are tied with the "
            "best, lines are 95 % bootstrap intervals."
        )
        return [
            Figure("learning_curve", caption, curve_chart(marks, context.metric, context.palette))
        ]
