"""Everything that was measured about cost."""

from collections.abc import Sequence
from typing import ClassVar

from textune.report.axes import currency_of
from textune.report.blocks import Block, Column, Row, Table, Text
from textune.report.compare import Entry
from textune.report.sections.base import Context, Section
from textune.results.record import SIDE_BY_SIDE


class Costs(Section):
    """All cost columns, with how energy was obtained and which prices were used."""

    title: ClassVar[str] = "Costs"
    order: ClassVar[int] = 90

    def blocks(self, context: Context) -> list[Block]:
        """Where the numbers come from, and the table."""
        entries = context.comparison.entries
        if not entries:
            return []
        currency = currency_of(context.comparison.loaded.contenders)
        columns = (
            Column("Approach"),
            Column("Fit", "seconds"),
            Column("Predict 1,000", "seconds"),
            Column("Processor time", "seconds"),
            Column("Latency p50", "seconds"),
            Column("Latency p95", "seconds"),
            Column("Peak memory", "bytes"),
            Column("Memory kind", help="Of the device, or resident memory of the process"),
            Column("Parameters", "count"),
            Column("Trainable", "count"),
            Column("To keep", "bytes", help="Without the shared base model"),
            Column("Tokens fitted", "count"),
            Column("Tokens predicted", "count"),
            Column("FLOPs fit", "count"),
            Column("FLOPs predict", "count"),
            Column("Energy", "joules"),
            Column("Energy from"),
            Column(f"Price ({currency})" if currency else "Price", "price"),
            Column("Of it fees", "price", help="For the tokens of a served model"),
        )
        caption = "Means over cells (folds and seeds); memory is the highest of all cells."
        rows = tuple(_row(context, entry) for entry in entries)
        table = Table("costs", caption, columns, rows).without_empty_columns()
        return [Text(_origins(entries), "note"), table]


def _row(context: Context, entry: Entry) -> Row:
    cost = entry.contender.cost
    energy = cost.energy
    return context.row(
        entry,
        entry.label,
        cost.fit_seconds,
        entry.contender.predict_seconds_per_thousand,
        cost.cpu_seconds,
        cost.latency_p50_seconds,
        cost.latency_p95_seconds,
        cost.peak_bytes,
        cost.peak_kind,
        cost.total_params,
        cost.trainable_params,
        cost.adapter_bytes,
        cost.fit_tokens,
        cost.predict_tokens,
        cost.fit_flops,
        cost.predict_flops,
        energy.joules if energy else None,
        energy.provenance if energy else None,
        cost.price,
        cost.fees,
    )


def _origins(entries: Sequence[Entry]) -> str:
    costs = [entry.contender.cost for entry in entries]
    prices = sorted({c.price_table for c in costs if c.price_table})
    notes = sorted({c.energy.note for c in costs if c.energy and c.energy.note})
    sentences = [f"Prices: {', '.join(prices)}." if prices else "Nothing was priced."]
    sentences += [f"Energy: {'; '.join(notes)}."] if notes else []
    if shared := [e.label for e in entries if _is_shared(e)]:
        sentences.append(
            f"Cells of {', '.join(shared)} were trained side by side: each has an equal share of "
            "what they took, and the peak of all together."
        )
    return " ".join([*sentences, "A dash means not measured, or not applicable; never zero."])


def _is_shared(entry: Entry) -> bool:
    return any(SIDE_BY_SIDE in record.notes for record in entry.contender.records)
