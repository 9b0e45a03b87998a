"""The protocol to recommend for a task's data, with a reason for each setting."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from textune.approaches.base import Approach
from textune.core.config import Json
from textune.core.errors import DataError, TextuneError
from textune.data.audit import Audit
from textune.data.examples import Examples
from textune.data.findings import counted, percent
from textune.data.together import joined_by_text
from textune.evaluation.smallest_difference import SmallestDifference, smallest_difference
from textune.results.run import ProtocolSpec
from textune.study.plan import Plan, make_plan
from textune.study.spec import StudySpec
from textune.tasks.base import TaskSpec
from textune.tasks.dataset import Dataset

LEAKS = 0.05
"""Share of the test part that may be known from train; more, and both files go into folds."""
HANGING = 1 / 3
"""Share of all examples that may hang together by shared texts; more cannot be kept apart."""
FOLDS = ((500, 10), (10_000, 5))
"""(examples below, folds); more examples take three."""
SPARE = 2_000
"""Training examples from which some may be held out to choose an epoch."""
VALID = 0.1
"""Share that is then held out."""
ENOUGH = 0.02
"""A difference of the main score that small is worth no more test examples."""


@dataclass(frozen=True)
class Setting:
    """A setting of a protocol and why."""

    key: str
    value: Json
    reason: str


@dataclass(frozen=True)
class Recommended:
    """A protocol that the data allow."""

    protocol: ProtocolSpec
    settings: tuple[Setting, ...]
    """What matters, in the order of reading; everything else is as by default."""
    plan: Plan
    """The parts that it makes, as cells of one approach."""
    visible: SmallestDifference
    """What its tested examples can show."""


@dataclass(frozen=True)
class _Case:
    """What the recommendation looks at."""

    task: TaskSpec
    dataset: Dataset
    audit: Audit
    approach: Approach

    def planned(self, protocol: ProtocolSpec) -> Plan:
        """Plan one approach: what cannot be divided is refused here."""
        approaches = {self.approach.name: self.approach}
        return make_plan(StudySpec("check", self.task, protocol, approaches), self.dataset)

    @property
    def everything(self) -> Examples:
        """Both parts."""
        test = self.dataset.test
        return Examples(self.dataset.train.rows + (test.rows if test else ()))


def recommend(
    task: TaskSpec, dataset: Dataset, audit: Audit, *, approach: Approach
) -> Recommended:
    """The protocol for these data; ``approach`` is any that does such tasks.

    Raises:
        TextuneError: no protocol divides the data, as when a label has one example.
    """
    case = _Case(task, dataset, audit, approach)
    split = _split(case)
    settings = [split, *(_fixed(case) if split.value == "fixed" else _folds(case))]
    try:
        plan = case.planned(replace(_protocol(settings), valid_fraction=VALID))
    except DataError:
        plan = case.planned(_protocol(settings))
    settings.append(_valid(plan))
    protocol = _protocol(settings)
    if plan.protocol.valid_fraction != protocol.valid_fraction:
        plan = case.planned(protocol)
    visible = smallest_difference(task, plan.tested.answers)
    return Recommended(protocol, tuple(settings), plan, visible)


def _protocol(settings: list[Setting]) -> ProtocolSpec:
    values = {s.key: tuple(s.value) if isinstance(s.value, list) else s.value for s in settings}
    return replace(ProtocolSpec(), **values)  # type: ignore[arg-type]  # each key has its type


def _split(case: _Case) -> Setting:
    test, audit = case.dataset.test, case.audit
    if test is None:
        reason = "there is no test part; in folds every example is tested once"
        return Setting("split", "kfold", reason)
    known = max(audit.number("leak"), audit.number("group leak"))
    shared = audit.number("shared text")
    if known > LEAKS * len(test):
        what = f"{known:,} of the {counted(len(test), 'test example')}"
        why = f"{what} are known from train, so both files go into folds together"
        return Setting("split", "kfold", why)
    but = ""
    if known or shared:
        verb = "is also in train" if known == 1 else "are also in train"
        what = f"{known:,} {verb}" if known else f"{shared:,} share a text with train"
        but = f"; of its {counted(len(test), 'example')} {what}: scores are a little too good"
    return Setting("split", "fixed", f"the task has a test part of its own{but}")


def _fixed(case: _Case) -> Iterator[Setting]:
    assert case.dataset.test is not None
    yield _test_size(smallest_difference(case.task, case.dataset.test.answers))
    if any(row.group is not None for row in case.dataset.train):
        yield Setting("grouped", True, "examples name groups: what is held out holds whole ones")
    yield Setting("seeds", [0, 1, 2], "with one training part, seeds show the luck of training")


def _folds(case: _Case) -> list[Setting]:
    """How examples are kept together, how many folds the data allow, and seeds."""
    grouped, largest = _grouped(case)
    folds, reason = _wanted_folds(case, largest)
    while True:
        found = [grouped, Setting("folds", folds, reason)]
        try:
            case.planned(_protocol([Setting("split", "kfold", ""), *found]))
        except TextuneError:
            if folds == 2:
                raise
            folds, reason = folds - 1, "labels and groups allow no more"
            continue
        break
    if folds >= 5:
        seeds = Setting("seeds", [0], "folds repeat the training already")
    else:
        number = ceil(5 / folds)
        seeds = Setting("seeds", list(range(number)), "few folds show little luck of training")
    return [*found, seeds]


def _grouped(case: _Case) -> tuple[Setting, float]:
    """What is kept together, and the share of all examples in the largest group."""
    rows = case.everything
    groups = Counter(row.group for row in rows if row.group is not None)
    sizes = Counter(row.group for row in joined_by_text(rows))
    is_more = len(sizes) < len(groups) + len(rows) - groups.total()
    share = max(sizes.values()) / len(rows)
    if is_more and share <= HANGING:
        number = sum(size for size in sizes.values() if size > 1)
        what = f"{number:,} examples share a text{' or a group' if groups else ''} with another"
        return Setting("grouped", "texts", f"{what}; such examples stay on one side"), share
    if groups:
        share = max(groups.values()) / len(rows)
        reason = f"examples name {counted(len(groups), 'group')}; each stays on one side"
        return Setting("grouped", True, reason), share
    if is_more:
        what = f"{percent(share, 0)} of all examples hang together by shared texts"
        reason = f"{what}: no folds keep them apart"
    else:
        reason = "no text recurs, and no example names a group"
    return Setting("grouped", False, reason), 0.0


def _wanted_folds(case: _Case, largest: float) -> tuple[int, str]:
    rows = case.everything
    size, kind = len(rows), case.task.kind
    folds = next((number for below, number in FOLDS if size < below), 3)
    reason = {
        10: f"{counted(size, 'example')} are few: each training part keeps nine tenths",
        5: f"{counted(size, 'example')}: each training part keeps four fifths",
        3: f"{counted(size, 'example')} are many: three folds test all of them for less",
    }[folds]
    strata = Counter(kind.stratum(answer) for answer in rows.answers)
    rarest, number = min(strata.items(), key=lambda item: (item[1], item[0]))
    if number < folds:
        folds = max(2, number)
        reason = f"the rarest label, {rarest}, has {counted(number, 'example')}"
    if largest * folds > 1:
        folds = max(2, int(1 / largest))
        reason = f"the largest group has {percent(largest, 0)} of all examples"
    return folds, reason


def _valid(plan: Plan) -> Setting:
    """Whether the training parts can spare some examples, by a plan that tried it."""
    smallest = min(len(cell.train) + len(cell.valid) for cell in plan.cells)
    what = counted(smallest, "training example")
    if smallest >= SPARE and all(cell.valid for cell in plan.cells):
        return Setting("valid_fraction", VALID, f"{what} can spare some to choose the best epoch")
    return Setting("valid_fraction", 0.0, f"{what} can spare none to choose an epoch")


def _test_size(visible: SmallestDifference) -> Setting:
    metric, points = visible.metric_name, 100 * visible.difference
    needed = visible.num_tested * (visible.difference / ENOUGH) ** 2
    size = 500 * ceil(needed / 500)
    if size < visible.num_tested:
        reason = f"so many show differences of {100 * ENOUGH:.0f} points of {metric}"
        return Setting("test_size", size, f"{reason}; more cost more")
    reason = f"all are needed: they show differences from about {points:.1f} points of {metric}"
    return Setting("test_size", "all", reason)
