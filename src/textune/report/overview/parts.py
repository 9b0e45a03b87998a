"""What the parts are, what is best in each, and what they cost."""

from dataclasses import replace
from typing import ClassVar

from textune.report.axes import currency_of
from textune.report.blocks import Block, Column, Link, Row, Table, Text, Value
from textune.report.doubts import listed
from textune.report.overview.base import Overview, OverviewSection, Part

BEST = (
    "The best of each part and what is tied with it; the score with its 95 % bootstrap interval."
)
COMPARED = "What was compared in each part, and what all of it cost."


class Parts(OverviewSection):
    """What holds in all parts, what is best in each, and what they are."""

    title: ClassVar[str] = "Parts"
    order: ClassVar[int] = 10

    def blocks(self, overview: Overview) -> list[Block]:
        """The answer, two tables with a row for each part, and what has not run."""
        blocks: list[Block] = [
            Text(_answer(overview), "lead"),
            _best(overview),
            _compared(overview),
        ]
        if open_parts := _open(overview):
            blocks.append(Text(open_parts, "note"))
        return blocks


def _answer(overview: Overview) -> str:
    """Which approaches nothing beats in any part."""
    parts = [part for part in overview.parts if part.comparison.entries]
    everywhere = [
        label for label in overview.approaches if all(label in p.comparison.tied for p in parts)
    ]
    if not parts:
        return "No part has a complete approach yet."
    number = "the one part" if len(parts) == 1 else f"all {len(parts)} parts"
    if not everywhere:
        return f"No approach is the best, or tied with the best, in {number} compared."
    return f"The best, or tied with the best, in {number} compared: {', '.join(everywhere)}."


def _best(overview: Overview) -> Table:
    columns = (
        Column("Part", help="Leads to its own report"),
        Column("Main score"),
        Column("Best"),
        Column("Score", "score", max(part.decimals for part in overview.parts)),
        Column("Tied with it", "text"),
        Column("Recommended", help="The cheapest of the tied ones, within the limits"),
    )
    rows = []
    for part in overview.parts:
        best, tied = part.comparison.best, part.comparison.tied
        cells = (
            _link(part),
            part.metric,
            best.label if best else None,
            replace(part.scored(best), stands_out=False) if best else None,
            listed(tied[1:], part.doubts),
            part.recommendation.choice,
        )
        rows.append(Row(cells))
    return Table("best", BEST, columns, tuple(rows))


def _compared(overview: Overview) -> Table:
    currency = next(
        (c for p in overview.parts if (c := currency_of(p.comparison.loaded.contenders))), ""
    )
    columns = (
        Column("Part", help="Leads to its own report"),
        Column("Task"),
        Column("Kind"),
        Column("Protocol"),
        Column("Trained on", "count", help="Examples of the largest training part"),
        Column("Tested on", "count", help="Examples"),
        Column("Cells", "count", help="That are done"),
        Column("Time", "seconds", help="All fits and predictions"),
        Column(f"Price ({currency})" if currency else "Price", "price", help="Of all cells"),
    )
    rows = tuple(Row(_facts(part)) for part in overview.parts)
    return Table("parts", COMPARED, columns, rows)


def _facts(part: Part) -> tuple[Value, ...]:
    loaded = part.comparison.loaded
    records = [record for contender in loaded.contenders for record in contender.records]
    costs = [record.cost for record in records if record.cost is not None]
    prices = [cost.price for cost in costs if cost.price is not None]
    return (
        _link(part),
        loaded.run.task.name,
        loaded.run.task.kind.name,
        _protocol(part),
        max((record.num_train for record in records), default=None),
        len(loaded.tested),
        len(records),
        sum(cost.fit_seconds + cost.predict_seconds for cost in costs) if costs else None,
        sum(prices) if prices else None,
    )


def _link(part: Part) -> Link:
    return Link(part.name, f"../{part.name}/report")


def _protocol(part: Part) -> str:
    protocol = part.comparison.loaded.run.protocol
    words = ["fixed split"] if protocol.split == "fixed" else [f"{protocol.folds} folds"]
    if protocol.split != "fixed" and protocol.grouped:
        words.append("by shared texts" if protocol.grouped == "texts" else "by group")
    seeds = len(protocol.seeds)
    return ", ".join([*words, "one seed" if seeds == 1 else f"{seeds} seeds"])


def _open(overview: Overview) -> str:
    texts = [f"Not run yet: {', '.join(overview.missing)}."] if overview.missing else []
    for part in overview.parts:
        if part.comparison.incomplete:
            names = ", ".join(each.label for each in part.comparison.incomplete)
            texts.append(f"Not complete in {part.name}: {names}.")
    return " ".join(texts)
