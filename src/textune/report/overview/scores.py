"""Approaches against parts: the main score of each, with its interval."""

from typing import ClassVar

from textune.report.blocks import Block, Column, Figure, Table
from textune.report.overview.base import Overview, OverviewSection
from textune.report.part_charts import MAX_ROWS, parts_chart
from textune.report.sections.base import Context


class Scores(OverviewSection):
    """Approaches in rows, parts in columns."""

    title: ClassVar[str] = "Scores"
    order: ClassVar[int] = 20

    def blocks(self, overview: Overview) -> list[Block]:
        """A chart for each part side by side, and the table."""
        if not overview.approaches:
            return []
        marks = {}
        for part in overview.parts:
            context = Context(part.comparison, part.recommendation, overview.palette)
            tied = part.comparison.tied
            marks[f"{part.name}, {part.metric} (%)"] = [
                context.mark(e, filled=e.label in tied) for e in part.comparison.entries
            ]
        labels = list(overview.approaches)
        cut = f" The first {MAX_ROWS} of {len(labels)} are shown." * (len(labels) > MAX_ROWS)
        caption = (
            "Main score of each part: filled where tied with the best of the part; the line is "
            f"the 95 % bootstrap interval over tested examples.{cut}"
        )
        columns = (Column("Approach"), *overview.score_columns())
        table = Table(
            "scores",
            "Main score in percent with its 95 % bootstrap interval; bold where tied with the "
            "best of the part.",
            columns,
            overview.rows(lambda part, entry: part.scored(entry)),
        )
        figure = Figure("scores", caption, parts_chart(marks, labels, overview.palette))
        return [figure, table]
