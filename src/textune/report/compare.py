"""A run folder as a comparison: scores with intervals, tests against the best, the tied set.

The test that decides is the paired bootstrap over pooled predictions, averaged over seeds, for
every protocol. It takes the fitted models as given. The corrected t-test over folds also sees the
training parts vary, but with the usual five folds it separates hardly anything, and a comparison
that cannot separate would recommend whatever is cheapest; so it stands beside as a second opinion.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from textune.evaluation.intervals import Interval, t_interval
from textune.evaluation.metrics.base import metrics_of
from textune.evaluation.over_seeds import Resampled, resample
from textune.evaluation.resampling import RESAMPLES
from textune.evaluation.significance import (
    corrected_t_test,
    detectable_difference,
    holm,
    mcnemar,
    tied_with_best,
)
from textune.report.contenders import Contender, Incomplete, Loaded, load_contenders

ALPHA = 0.05
"""Level of the tests, after Holm's correction."""
RESAMPLES_PER_CONTENDER = round(2 / ALPHA)
"""Keeps the smallest P that a bootstrap can give, times the number of tests, well below ALPHA."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A contender with its scores."""

    contender: Contender
    score: float
    """Main metric, mean over cells."""
    over_cells: Interval
    """Student's interval over folds and seeds, no further than 0 and 1."""
    over_examples: Interval
    """Bootstrap interval of the metric on pooled predictions, averaged over seeds."""
    resampled: Resampled
    metrics: dict[str, float | None]
    """Every metric, mean over cells; None where a cell has no value."""

    @property
    def label(self) -> str:
        """The contender's label."""
        return self.contender.label


@dataclass(frozen=True)
class Pair:
    """The best entry against another one."""

    other: str
    difference: float | None
    """Best minus other, main metric on pooled predictions."""
    p_bootstrap: float | None
    p_adjusted: float | None
    """``p_bootstrap`` after Holm's correction over all pairs; this one decides."""
    p_mcnemar: float | None
    """Of the first seed's pooled predictions."""
    p_folds: float | None
    """Corrected t-test over folds; None for a fixed split."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Entries of one run, best first, and what can be said between them."""

    loaded: Loaded
    metric: str
    entries: tuple[Entry, ...]
    incomplete: tuple[Incomplete, ...]

    @property
    def best(self) -> Entry | None:
        """The entry with the highest score."""
        return self.entries[0] if self.entries else None

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The best against every other entry, in order of rank."""
        if not self.entries:
            return ()
        best, *others = self.entries
        tests = [best.resampled.test_against(other.resampled) for other in others]
        adjusted = holm([test.p_value for test in tests])
        return tuple(
            Pair(
                other=other.label,
                difference=test.statistic,
                p_bootstrap=test.p_value,
                p_adjusted=p_adjusted,
                p_mcnemar=mcnemar(self._right(best), self._right(other)).p_value,
                p_folds=_over_folds(best.contender, other.contender, self.metric),
            )
            for other, test, p_adjusted in zip(others, tests, adjusted, strict=True)
        )

    @cached_property
    def tied(self) -> tuple[str, ...]:
        """Labels of the best entry and of all that are statistically tied with it."""
        means = {entry.label: entry.score for entry in self.entries}
        p_values = {pair.other: pair.p_adjusted for pair in self.pairs}
        return tuple(tied_with_best(means, p_values, alpha=ALPHA))

    @cached_property
    def detectable(self) -> float | None:
        """Smallest true difference in accuracy from the best that would be found 4 times in 5."""
        if len(self.entries) < 2:
            return None
        rights = [self._right(entry) for entry in self.entries]
        discordances = [float(np.mean(rights[0] != other)) for other in rights[1:]]
        return detectable_difference(
            len(self.loaded.tested),
            accuracy=float(rights[0].mean()),
            discordance=float(np.median(discordances)),
        )

    def _right(self, entry: Entry) -> npt.NDArray[np.bool_]:
        """Which tested examples it answers right (first seed)."""
        kind, gold = self.loaded.run.task.kind, self.loaded.tested.answers
        pairs = zip(entry.contender.answers[0], gold, strict=True)
        return np.array([kind.is_right(answer, g) for answer, g in pairs], dtype=bool)

    def entry(self, label: str) -> Entry:
        """The entry of that label."""
        return next(entry for entry in self.entries if entry.label == label)

    def among(self, labels: Sequence[str]) -> "Comparison":
        """The comparison of these entries alone: tests, correction and tied set anew."""
        kept = tuple(entry for entry in self.entries if entry.label in labels)
        return Comparison(self.loaded, self.metric, kept, self.incomplete)


def compare(root: Path) -> Comparison:
    """Read a run folder and compare what is complete in it.

    Raises:
        StoreError: this is no run folder, or a file in it is damaged.
    """
    loaded = load_contenders(root)
    metric = loaded.run.task.primary_metric
    scored = [c for c in loaded.contenders if c.values(metric) is not None]
    undefined = tuple(
        Incomplete(c.label, len(c.records), len(c.records), f"{metric} is undefined in a cell")
        for c in loaded.contenders
        if c not in scored
    )
    entries = sorted(_entries(loaded, scored, metric), key=lambda entry: -entry.score)
    return Comparison(loaded, metric, tuple(entries), loaded.incomplete + undefined)


def _entries(loaded: Loaded, contenders: Sequence[Contender], metric: str) -> list[Entry]:
    if not contenders:
        return []
    resampled = resample(
        metric,
        metrics_of(loaded.run.task),
        loaded.tested.answers,
        [contender.answers for contender in contenders],
        resamples=max(RESAMPLES, RESAMPLES_PER_CONTENDER * len(contenders)),
    )
    entries = []
    for contender, draws in zip(contenders, resampled, strict=True):
        means = {name: _mean(contender, name) for name in contender.records[0].scores}
        values = contender.values(metric) or {}
        over_cells = t_interval(list(values.values()))
        assert over_cells.mean is not None
        entries.append(
            Entry(
                contender, over_cells.mean, _possible(over_cells), draws.interval(), draws, means
            )
        )
    return entries


def _possible(interval: Interval) -> Interval:
    """The part of an interval that a share of one can lie in; main metrics are such shares."""
    if interval.low is None or interval.high is None:
        return interval
    return Interval(interval.mean, max(0.0, interval.low), min(1.0, interval.high))


def _mean(contender: Contender, metric: str) -> float | None:
    values = contender.values(metric)
    return None if values is None else float(np.mean(list(values.values())))


def _over_folds(best: Contender, other: Contender, metric: str) -> float | None:
    """P of the corrected t-test on the cells that both have; on fold means if seeds differ."""
    ours, theirs = best.values(metric) or {}, other.values(metric) or {}
    if ours.keys() != theirs.keys():
        ours, theirs = _fold_means(ours), _fold_means(theirs)
    if len({fold for fold, _ in ours}) < 2:
        return None
    differences = [ours[cell] - theirs[cell] for cell in ours]
    test_size = best.records[0].num_test
    train_size = max(r.num_train for r in (*best.records, *other.records))
    whole_train_size = sum({r.cell.fold: r.num_test for r in best.records}.values()) - test_size
    return corrected_t_test(
        differences, train_size=train_size or whole_train_size, test_size=test_size
    ).p_value


def _fold_means(values: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    folds: dict[int, list[float]] = {}
    for (fold, _), value in values.items():
        folds.setdefault(fold, []).append(value)
    return {(fold, 0): float(np.mean(each)) for fold, each in folds.items()}
