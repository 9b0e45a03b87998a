"""Who is ahead, by how much, at what cost."""

from typing import ClassVar

from textune.evaluation.intervals import Interval
from textune.evaluation.metrics.base import ORDER_DISAGREEMENT, higher_is_better
from textune.report import digits
from textune.report.axes import currency_of
from textune.report.blocks import Block, Column, Details, Figure, Range, Row, Table, Text, Unit
from textune.report.charts import MAX_ROWS, score_chart
from textune.report.compare import Entry
from textune.report.sections.base import Context, Section

BESIDE = (
    "accuracy",
    "macro_f1",
    "positive_precision",
    "positive_recall",
    "auc",
    ORDER_DISAGREEMENT,
    "spearman",
    "micro_precision",
    "micro_recall",
    "pair_f1",
    "partial_f1",
)
"""Metrics in the main table beside the main one; all others are folded away."""
NOT_SHARES = (
    "mcc",
    "brier",
    "log_loss",
    "label_brier",
    "label_log_loss",
    "mean_error",
    "root_mean_square_error",
)
"""Metrics that are no share of one."""


class Leaderboard(Section):
    """Rank, scores with both intervals, and the main costs."""

    title: ClassVar[str] = "Leaderboard"
    order: ClassVar[int] = 20

    def blocks(self, context: Context) -> list[Block]:
        """Dot-and-whisker chart, how to read it, table, all metrics."""
        comparison = context.comparison
        if not comparison.entries:
            return []
        marks = [context.mark(e, filled=e.label in comparison.tied) for e in comparison.entries]
        spec = score_chart(marks, context.metric, context.palette)
        figure = Figure("leaderboard", _caption(context), spec)
        known = comparison.entries[0].metrics
        names = [n for n in known if ":" not in n and n != "ece"]  # of all folds: see Confidence
        beside = [n for n in BESIDE if n in names and n != comparison.metric]
        beside += ["invalid_rate"] if _any_invalid(comparison.entries) else []
        return [
            figure,
            Text(_reading(context), "note"),
            _table(context, beside),
            Details("All metrics", (_all_metrics(context, names),)),
        ]


def _caption(context: Context) -> str:
    caption = (
        f"{context.metric}: filled where tied with the best; the thick line is the 95 % bootstrap "
        "interval over tested examples"
    )
    marks = [context.mark(entry, filled=False) for entry in context.comparison.entries]
    if any(mark.fold_low is not None for mark in marks):
        caption += ", the thin one the 95 % t interval over folds and seeds"
    return f"{caption}.{context.dagger}{context.cut(MAX_ROWS)}"


def _reading(context: Context) -> str:
    protocol = context.comparison.loaded.run.protocol
    averaged = ", averaged over seeds" if len(protocol.seeds) > 1 else ""
    pooled = (
        f" The bootstrap interval belongs to {context.metric} of the pooled predictions of all "
        f"folds{averaged}, which may differ a little from the mean over folds."
    )
    return (
        f"Scores are in percent.{pooled if protocol.split == 'kfold' else ''} Click a "
        "column title to sort."
    )


def _table(context: Context, beside: list[str]) -> Table:
    comparison = context.comparison
    currency = currency_of(comparison.loaded.contenders)
    columns = (
        Column("Approach"),
        Column("Rank", "count"),
        Column("Tied", help="Statistically tied with the best"),
        Column("Family"),
        context.score_column(context.metric, "Mean over folds and seeds"),
        context.score_column("95 % over examples", "Bootstrap over tested examples"),
        context.score_column("95 % over cells", "Student's t over folds and seeds"),
        *(_metric_column(context, name) for name in beside),
        Column("Trainable parameters", "count"),
        Column("Fit", "seconds", help="Mean time to fit one cell"),
        Column("Predict 1,000", "seconds", help="Mean time for 1,000 predictions"),
        Column("Peak memory", "bytes", help="Highest of all cells"),
        Column(f"Price ({currency})" if currency else "Price", "price", help="Fit and predict"),
    )
    rows = tuple(
        _row(context, rank, entry, beside) for rank, entry in enumerate(comparison.entries, 1)
    )
    caption = f"Best first by {context.metric}; marked rows are tied with the best."
    return Table("leaderboard", caption, columns, rows).without_empty_columns()


def _row(context: Context, rank: int, entry: Entry, beside: list[str]) -> Row:
    cost = entry.contender.cost
    return context.row(
        entry,
        entry.label,
        rank,
        "tied" if entry.label in context.comparison.tied else "",
        entry.contender.info.family,
        entry.score,
        _range(entry.over_examples),
        _range(entry.over_cells),
        *(entry.metrics.get(name) for name in beside),
        cost.trainable_params,
        cost.fit_seconds,
        entry.contender.predict_seconds_per_thousand,
        cost.peak_bytes,
        cost.price,
    )


def _all_metrics(context: Context, names: list[str]) -> Table:
    rows = tuple(
        context.row(entry, entry.label, *(entry.metrics.get(name) for name in names))
        for entry in context.comparison.entries
    )
    columns = (Column("Approach"), *(_metric_column(context, name) for name in names))
    return Table(
        "metrics", "Every metric of all labels together, mean over folds and seeds.", columns, rows
    )


def _metric_column(context: Context, name: str) -> Column:
    unit: Unit = "number" if name in NOT_SHARES else "score"
    title = digits.metric_title(name)
    hint = "" if higher_is_better(name) else "Less is better"
    return Column(title, unit, context.decimals, hint)


def _any_invalid(entries: tuple[Entry, ...]) -> bool:
    return any(entry.metrics.get("invalid_rate") for entry in entries)


def _range(interval: Interval) -> Range | None:
    if interval.low is None or interval.high is None:
        return None
    return Range(interval.low, interval.high)
