"""What each approach costs in each part."""

from collections.abc import Callable
from typing import ClassVar

from textune.report.blocks import Block, Column, Details, Table, Unit, Value
from textune.report.contenders import Contender
from textune.report.overview.base import Overview, OverviewSection


class Costs(OverviewSection):
    """Approaches in rows, parts in columns: time, memory, price of a cell."""

    title: ClassVar[str] = "Costs"
    order: ClassVar[int] = 40

    def blocks(self, overview: Overview) -> list[Block]:
        """The time to fit in sight, everything else folded away."""
        if not overview.approaches:
            return []
        fit, *others = (_table(overview, *each) for each in MEASURES)
        return [fit, Details("Prediction time, memory, trained parameters, price", tuple(others))]


MEASURES: tuple[tuple[str, str, Unit, Callable[[Contender], Value]], ...] = (
    ("fit_time", "Mean time to fit one cell.", "seconds", lambda c: c.cost.fit_seconds),
    (
        "prediction_time",
        "Mean time for 1,000 predictions.",
        "seconds",
        lambda c: c.predict_seconds_per_thousand,
    ),
    ("memory", "Highest memory of all cells.", "bytes", lambda c: c.cost.peak_bytes),
    ("trained", "Parameters that train.", "count", lambda c: c.cost.trainable_params),
    (
        "price",
        "Mean price of a fit and its test predictions, in the currency of the price table.",
        "price",
        lambda c: c.cost.price,
    ),
)
"""Name, caption, unit and value of each table."""


def _table(
    overview: Overview, name: str, caption: str, unit: Unit, value: Callable[[Contender], Value]
) -> Table:
    columns = (Column("Approach"), *(Column(part.name, unit) for part in overview.parts))
    return Table(name, caption, columns, overview.rows(lambda _, entry: value(entry.contender)))
