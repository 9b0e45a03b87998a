"""What a search for settings spent, found, and says about how much the settings matter."""

from collections import Counter
from collections.abc import Sequence
from statistics import mean
from typing import ClassVar

from textune.report.blocks import Block, Column, Details, Row, Table, Text
from textune.report.compare import Entry
from textune.report.sections.base import Context, Section
from textune.results.record import Setting, Trial, best_trial


class Search(Section):
    """Budget, choice and sensitivity of every approach that searched; nothing if none did."""

    title: ClassVar[str] = "Search for settings"
    order: ClassVar[int] = 55

    def blocks(self, context: Context) -> list[Block]:
        """The budget in words, a row for each approach, and every trial folded away."""
        entries = [
            entry
            for entry in context.comparison.entries
            if all(record.trials for record in entry.contender.records)
        ]
        if not entries:
            return []
        blocks: list[Block] = [Text(_budget(entries)), _sensitivity(context, entries)]
        if at_an_end := [entry.label for entry in entries if _ended_at_an_end(entry)]:
            blocks.append(
                Text(
                    "The highest or the lowest learning rate tried was the best in every cell of "
                    f"{', '.join(at_an_end)}: a wider search may find better ones.",
                    "note",
                )
            )
        return [*blocks, _trials(context, entries)]


def _budget(entries: Sequence[Entry]) -> str:
    """One sentence when all had the same budget, else a warning."""
    budgets = Counter(
        (len(r.trials), r.notes.get("search_train"), r.notes.get("search_valid"))
        for entry in entries
        for r in entry.contender.records
    )
    if len(budgets) > 1:
        return (
            "Approaches spent different numbers of trials, or examples on them; see all trials "
            "below."
        )
    trials, train, valid = next(iter(budgets))
    return (
        f"Before the fit that counts, each cell of these approaches spent {trials} trials "
        f"inside its training part: fitted on {train} examples, scored on {valid} others, the "
        "same for all approaches. What trials cost is part of every cell's cost."
    )


def _sensitivity(context: Context, entries: Sequence[Entry]) -> Table:
    rows = []
    for entry in entries:
        records = entry.contender.records
        scored = [[t.score for t in r.trials if t.score is not None] for r in records]
        first = [r.trials[0].score for r in records]
        gains = [max(of) - one for of, one in zip(scored, first, strict=True) if one is not None]
        searching = sum(t.seconds for r in records for t in r.trials)
        fitting = sum(r.cost.fit_seconds for r in records if r.cost is not None)
        rows.append(
            context.row(
                entry,
                entry.label,
                ", ".join(dict.fromkeys(_words(best_trial(r.trials)) for r in records)),
                mean(max(of) for of in scored),
                mean(gains) if gains else None,
                mean(max(of) - min(of) for of in scored),
                sum(t.score is None for r in records for t in r.trials),
                searching / fitting if fitting else None,
            )
        )
    columns = (
        Column("Approach"),
        Column("Chosen", "text", help="Settings of the best trial, of each cell in turn"),
        context.score_column("Best trial", f"{context.metric} on what trials are scored on"),
        Column("Gain", "points", context.decimals, "Best trial minus the default settings"),
        Column("Spread", "points", context.decimals, "Best trial minus worst: the sensitivity"),
        Column("Lost", "count", help="Trials whose loss stopped being a number"),
        Column("Share of fitting", "score", 0, "Time of trials by all time of fitting"),
    )
    caption = "What the search chose and how much it matters, means over cells."
    return Table("search", caption, columns, tuple(rows))


def _trials(context: Context, entries: Sequence[Entry]) -> Details:
    rows = tuple(
        Row((entry.label, r.cell.fold, r.cell.seed, place, _words(t), t.score, t.seconds))
        for entry in entries
        for r in entry.contender.records
        for place, t in enumerate(r.trials, start=1)
    )
    columns = (
        Column("Approach"),
        Column("Fold", "count"),
        Column("Seed", "count"),
        Column("Trial", "count"),
        Column("Settings", "text"),
        context.score_column("Score"),
        Column("Time", "seconds"),
    )
    table = Table("trials", "Every trial, in the order of the search.", columns, rows)
    return Details("All trials", (table,))


def _ended_at_an_end(entry: Entry) -> bool:
    """Whether the same end of the learning rates tried was the best in every cell."""
    if "lr" not in entry.contender.records[0].trials[0].settings:
        return False
    tried = [[trial.settings["lr"] for trial in r.trials] for r in entry.contender.records]
    best = [best_trial(record.trials) for record in entry.contender.records]
    chosen = [None if trial is None else trial.settings["lr"] for trial in best]
    return all(len(set(rates)) > 1 for rates in tried) and (
        chosen == [max(rates) for rates in tried] or chosen == [min(rates) for rates in tried]
    )


def _words(trial: Trial | None) -> str:
    settings = {} if trial is None else trial.settings
    return " ".join(f"{name} {_shown(value)}" for name, value in settings.items())


def _shown(value: Setting) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
