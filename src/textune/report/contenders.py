"""Contenders: what a report compares, each an approach at a training size.

The cells of a contender are folds x seeds. Only one whose cells are all done, and which answered
every tested example once for each seed, can be compared; others are listed with the reason.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from textune.data.examples import Examples
from textune.report.costs import mean_cost
from textune.results.record import Cost, Record, ScoredExamples
from textune.results.run import ApproachInfo, PlannedCell, RunSpec, load_run, load_tested
from textune.results.store import Store
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, slots=True)
class Said:
    """The answer to one example and the score it was given with, where there is one."""

    answer: str | None
    confidence: float | None


@dataclass(frozen=True, eq=False)
class Contender:
    """An approach at a training size with everything that its cells produced."""

    label: str
    """Unique in the report: the approach's label, with the size where the study varies it."""
    approach: str
    size: int
    info: ApproachInfo
    records: tuple[Record, ...]
    """In order of seed and fold."""
    said: tuple[tuple[Said, ...], ...]
    """For each seed what was said about every tested example, in their order."""

    @cached_property
    def answers(self) -> list[list[str | None]]:
        """For each seed the answer to every tested example."""
        return [[said.answer for said in of_seed] for of_seed in self.said]

    @cached_property
    def cost(self) -> Cost:
        """The mean cost of a cell."""
        return mean_cost([r.cost for r in self.records if r.cost is not None])

    @property
    def predict_seconds_per_thousand(self) -> float:
        """Seconds to predict 1,000 examples, over all cells."""
        seconds = sum(r.cost.predict_seconds for r in self.records if r.cost is not None)
        return 1000 * seconds / sum(r.num_test for r in self.records)

    @property
    def fit_price(self) -> float | None:
        """Price of a fit; records that do not tell it apart are of time alone."""
        cost = self.cost
        if cost.fit_price is not None or cost.price is None:
            return cost.fit_price
        return cost.price * cost.fit_seconds / (cost.fit_seconds + cost.predict_seconds)

    @property
    def price_per_thousand(self) -> float | None:
        """Price of predicting 1,000 examples."""
        if self.cost.price is None or self.fit_price is None:
            return None
        num_tested = sum(r.num_test for r in self.records) / len(self.records)
        return 1000 * (self.cost.price - self.fit_price) / num_tested

    def values(self, metric: str) -> dict[tuple[int, int], float] | None:
        """The metric of each (fold, seed), or None where a cell has no value."""
        found = {(r.cell.fold, r.cell.seed): r.scores.get(metric) for r in self.records}
        known = {cell: value for cell, value in found.items() if value is not None}
        return known if len(known) == len(found) else None


@dataclass(frozen=True)
class Incomplete:
    """A contender that cannot be compared, and why."""

    label: str
    num_done: int
    num_planned: int
    reason: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """A run folder, read."""

    run: RunSpec
    tested: Examples
    contenders: tuple[Contender, ...]
    incomplete: tuple[Incomplete, ...]
    failures: tuple[Record, ...]


def load_contenders(root: Path) -> Loaded:
    """Read a run folder, each file once.

    Raises:
        StoreError: this is no run folder, or a file in it is damaged.
    """
    run, tested, store = load_run(root), load_tested(root), Store(root)
    records = {f: store.load(f) for f in run.fingerprints if store.has(f)}
    groups = _groups(run)
    num_sizes = Counter(approach for approach, _ in groups)
    contenders: list[Contender] = []
    incomplete: list[Incomplete] = []
    for (approach, size), cells in groups.items():
        label = approach if num_sizes[approach] == 1 else f"{approach} (n={size:,})"
        ended = [  # a record may stand for cells of several seeds
            replace(records[c.fingerprint], cell=c.cell) for c in cells if c.fingerprint in records
        ]
        done = [r for r in ended if r.status == "done"]
        done.sort(key=lambda r: (r.cell.seed, r.cell.fold))
        reason = _missing(cells, ended)
        said: list[tuple[Said, ...]] = []
        if not reason:
            scored = [store.predictions(r.fingerprint) for r in done]
            said, reason = _pool([r.cell.seed for r in done], scored, tested, run)
        if reason:
            incomplete.append(Incomplete(label, len(done), len(cells), reason))
        else:
            info = run.approaches[approach]
            contenders.append(Contender(label, approach, size, info, tuple(done), tuple(said)))
    failures = tuple(r for r in records.values() if r.status == "failed")
    return Loaded(run, tested, tuple(contenders), tuple(incomplete), failures)


def _groups(run: RunSpec) -> dict[tuple[str, int], list[PlannedCell]]:
    """Planned cells by approach and size, in plan order.

    Folds of unequal length have unequal whole sizes, so the k-th size of one fold belongs with
    the k-th of the others; the largest names them.
    """
    sizes: dict[int, set[int]] = {}
    for planned in run.cells:
        sizes.setdefault(planned.cell.fold, set()).add(planned.cell.size)
    ranks = {(f, s): rank for f, each in sizes.items() for rank, s in enumerate(sorted(each))}
    names: dict[int, int] = {}
    for (_, size), rank in ranks.items():
        names[rank] = max(size, names.get(rank, 0))
    groups: dict[tuple[str, int], list[PlannedCell]] = {}
    for planned in run.cells:
        rank = ranks[planned.cell.fold, planned.cell.size]
        groups.setdefault((planned.cell.approach, names[rank]), []).append(planned)
    return groups


def _missing(cells: Sequence[PlannedCell], ended: Sequence[Record]) -> str:
    """What keeps a contender's cells from being complete, empty when nothing does."""
    failed = Counter(f"{r.failure.kind}: {r.failure.message}" for r in ended if r.failure)
    texts = [f"{number} failed ({reason})" for reason, number in failed.items()]
    if num_open := len(cells) - len(ended):
        texts.append(f"{num_open} not run yet")
    if num_free := sum(r.status == "done" and r.cost is None for r in ended):
        texts.append(f"{num_free} without measured cost")
    return "; ".join(texts)


def _pool(
    seeds: Sequence[int], scored: Sequence[ScoredExamples], tested: Examples, run: RunSpec
) -> tuple[list[tuple[Said, ...]], str]:
    """What was said for each seed about every tested example; else why it cannot be pooled."""
    pooled: dict[int, dict[str, Said]] = {seed: {} for seed in seeds}
    for seed, cell in zip(seeds, scored, strict=True):
        for name, said in zip(cell.ids, _said(cell, run.task), strict=True):
            if name in pooled[seed]:
                return [], f"example {name} was tested twice with seed {seed}"
            pooled[seed][name] = said
    ids = [example.id for example in tested]
    for by_id in pooled.values():
        if num_missing := sum(name not in by_id for name in ids):
            return [], f"{num_missing:,} of {len(ids):,} examples were not tested"
        if len(by_id) > len(ids):
            return [], f"tested on {len(by_id) - len(ids):,} examples that the run does not list"
    return [tuple(by_id[name] for name in ids) for by_id in pooled.values()], ""


def _said(cell: ScoredExamples, task: TaskSpec) -> list[Said]:
    answers, scores = cell.predictions.answers, cell.predictions.scores
    if scores is None:
        return [Said(answer, None) for answer in answers]
    rows = (dict(zip(task.labels, row, strict=True)) for row in scores.tolist())
    return [
        Said(answer, None if answer is None else task.kind.confidence(answer, row))
        for answer, row in zip(answers, rows, strict=True)
    ]
