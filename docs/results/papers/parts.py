"""Parts of a run by the metrics of a paper: scores, rows in one order, tests between entries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from textune.core.errors import StoreError
from textune.evaluation.intervals import Interval
from textune.evaluation.metrics.base import metrics_of
from textune.evaluation.over_seeds import Resampled, resample
from textune.evaluation.resampling import RESAMPLES
from textune.evaluation.significance import holm
from textune.report.blocks import Points, Scored
from textune.report.compare import ALPHA, RESAMPLES_PER_CONTENDER, Comparison, Entry, compare
from textune.report.digits import probability
from textune.results.parts import load_parts

FAMILIES = ("prompted", "tuned", "small model", "baseline")
"""In this order from above."""


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the run."""

    name: str
    comparison: Comparison
    scores: Mapping[str, Mapping[str, Resampled]]
    """Metric -> label -> its value on pooled predictions, mean over seeds, and on resamples; the
    first metric is the one that is tested."""

    @property
    def main(self) -> Mapping[str, Resampled]:
        """Label -> value of the metric that is tested."""
        return next(iter(self.scores.values()))

    @property
    def has_learnt(self) -> bool:
        """Whether a tuned model tells labels apart at all.

        That is, whether an interval of accuracy lies above answering the most frequent label;
        entities have no such answer.
        """
        of = self.scores.get("accuracy")
        if of is None:
            return True
        gold = Counter(self.comparison.loaded.tested.answers)
        constant = max(gold.values(), default=0) / max(1, gold.total())
        lows = (of[entry.label].interval().low for entry in self.ranked("tuned"))
        return any(low is not None and low > constant for low in lows)

    def ranked(self, family: str) -> list[Entry]:
        """The complete entries of a family, best first by that metric."""
        found = (e for e in self.comparison.entries if e.contender.info.family == family)
        return sorted(found, key=lambda entry: -self.main[entry.label].observed)


@dataclass(frozen=True, eq=False)
class Duel:
    """Two entries of a part by the metric that is tested."""

    part: Part
    one: Entry
    other: Entry
    difference: float
    """One minus other."""
    p_bootstrap: float | None
    p_adjusted: float | None
    """After Holm's correction over all duels of a table; this one decides."""

    @property
    def is_clear(self) -> bool:
        """Whether the test found a difference."""
        return self.p_adjusted is not None and self.p_adjusted < ALPHA

    def is_blunt(self, margin: float) -> bool:
        """Whether such a difference in accuracy would be missed more than once in five times."""
        both = self.part.comparison.among((self.one.label, self.other.label))
        return both.detectable is None or both.detectable > margin

    @property
    def facts(self) -> str:
        """``full 77.4 against lora 75.7: +1.7 points, P 0.210``."""
        p_value = "undefined" if self.p_adjusted is None else probability(self.p_adjusted)
        scores = [
            f"{each.label} {100 * self.part.main[each.label].observed:.1f}"
            for each in (self.one, self.other)
        ]
        return f"{' against '.join(scores)}: {100 * self.difference:+.1f} points, P {p_value}"


def read_parts(root: Path, metrics: Mapping[str, Sequence[str]]) -> list[Part]:
    """The parts of a run that have begun, of those that have metrics here.

    Raises:
        StoreError: none of them has begun, or a file is damaged.
    """
    there = [name for name in load_parts(root).parts if (root / name / "study.yaml").is_file()]
    parts = [_part(name, compare(root / name), metrics[name]) for name in metrics if name in there]
    if not parts:
        raise StoreError(f"{root} has no {' or '.join(metrics)}", hint="run the study first")
    return parts


def _part(name: str, comparison: Comparison, names: Sequence[str]) -> Part:
    """With as many resamples as a report takes, so that intervals are the same in both."""
    labels = [entry.label for entry in comparison.entries]
    answers = [entry.contender.answers for entry in comparison.entries]
    metrics, gold = metrics_of(comparison.loaded.run.task), comparison.loaded.tested.answers
    number = max(RESAMPLES, RESAMPLES_PER_CONTENDER * len(labels))

    def draws(metric: str) -> list[Resampled]:
        return resample(metric, metrics, gold, answers, resamples=number) if labels else []

    scores = {metric: dict(zip(labels, draws(metric), strict=True)) for metric in names}
    return Part(name, comparison, scores)


def duels(pairs: Iterable[tuple[Part, Entry, Entry]]) -> list[Duel]:
    """Each pair tested by the paired bootstrap, with Holm's correction over all of them."""
    listed = list(pairs)
    tests = [part.main[one.label].test_against(part.main[x.label]) for part, one, x in listed]
    adjusted = holm([test.p_value for test in tests])
    found = []
    for pair, test, p_adjusted in zip(listed, tests, adjusted, strict=True):
        assert test.statistic is not None, "a metric of a complete entry is undefined"
        found.append(Duel(*pair, test.statistic, test.p_value, p_adjusted))
    return found


def labels_of(parts: Sequence[Part]) -> list[str]:
    """Of all complete entries of any part: by family, in the order of the study file, by size."""
    families: dict[str, str] = {}
    for part in parts:
        approaches = list(part.comparison.loaded.run.approaches)
        known = [entry.contender for entry in part.comparison.entries]
        for contender in sorted(known, key=lambda c: (approaches.index(c.approach), c.size)):
            families.setdefault(contender.label, contender.info.family)
    return sorted(families, key=lambda label: FAMILIES.index(families[label]))


def scored(interval: Interval) -> Scored | None:
    """An estimate and its bounds in one cell."""
    if interval.mean is None:
        return None
    return Scored(interval.mean, interval.low, interval.high, stands_out=False)


def setting(parts: Sequence[Part]) -> Points:
    """What was trained and tested on how much, and how sharp the tests are."""
    return Points(tuple(f"{part.name}: {_setting(part.comparison)}." for part in parts))


def _setting(part: Comparison) -> str:
    run, sizes = part.loaded.run, [r.num_train for e in part.entries for r in e.contender.records]
    words = [
        f"{run.task.name}, {max(sizes):,} training examples" if sizes else run.task.name,
        f"{len(part.loaded.tested):,} tested examples",
        f"{run.protocol.folds} folds" if run.protocol.split == "kfold" else "fixed split",
        "one seed" if len(run.protocol.seeds) == 1 else f"{len(run.protocol.seeds)} seeds",
    ]
    if part.detectable is not None:
        found = f"{100 * part.detectable:.1f} points in accuracy"
        words.append(f"a difference of {found} from the best is found four times in five")
    if part.incomplete:
        words.append(f"left out as incomplete: {', '.join(i.label for i in part.incomplete)}")
    return "; ".join(words)
