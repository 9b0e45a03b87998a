"""What more quality costs."""

from typing import ClassVar

from textune.report.axes import Axis, axes, currency_of
from textune.report.blocks import Block, Column, Figure, Table, Text, Value
from textune.report.charts import front_chart
from textune.report.pareto import front
from textune.report.sections.base import Context, Section


class Pareto(Section):
    """Quality against price, prediction time and memory, with the front of each."""

    title: ClassVar[str] = "Cost and quality"
    order: ClassVar[int] = 40

    def blocks(self, context: Context) -> list[Block]:
        """A chart for each cost that was measured, and the fronts as a table."""
        comparison = context.comparison
        measured = [
            axis
            for axis in axes(currency_of(comparison.loaded.contenders))
            if any(axis.value(entry.contender) is not None for entry in comparison.entries)
        ]
        if len(comparison.entries) < 2 or not measured:
            return []
        rule = (
            "A contender is on the front unless another one is cheaper and scores no lower, or is "
            "no dearer and significantly better."
        )
        figures = [_figure(context, axis) for axis in measured]
        return [Text(rule), *figures, _table(context, measured)]


def _figure(context: Context, axis: Axis) -> Figure:
    comparison = context.comparison
    on_front = {entry.label for entry in front(comparison.entries, axis)}
    marks = [
        context.mark(entry, filled=entry.label in on_front, x=cost / axis.scale)
        for entry in comparison.entries
        if (cost := axis.value(entry.contender)) is not None
    ]
    caption = (
        f"{context.metric} against {axis.title}; filled points are on the front, lines are 95 % "
        f"bootstrap intervals.{context.dagger}"
    )
    spec = front_chart(marks, context.metric, axis.title, context.palette)
    return Figure(f"front_{axis.name}", caption, spec)


def _table(context: Context, measured: list[Axis]) -> Table:
    entries = context.comparison.entries
    fronts = {axis.name: front(entries, axis) for axis in measured}
    shown = [entry for entry in entries if any(entry in each for each in fronts.values())]

    def cell(axis: Axis, label: str) -> Value:
        return "on the front" if any(e.label == label for e in fronts[axis.name]) else ""

    rows = tuple(
        context.row(e, e.label, e.score, *(cell(axis, e.label) for axis in measured))
        for e in shown
    )
    columns = (
        Column("Approach"),
        context.score_column(context.metric),
        *(Column(axis.name.replace("_", " ")) for axis in measured),
    )
    caption = "Contenders that are on a front; marked rows are tied with the best."
    return Table("fronts", caption, columns, rows)
