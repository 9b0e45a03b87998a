"""StudySpec -> cells: which examples each trains and tests on, and the fingerprint that names it.

Everything a user can get wrong is found here, before anything expensive starts.
"""

from dataclasses import dataclass, replace
from functools import cached_property

from textune import __version__
from textune.approaches.base import Approach
from textune.core.config import fingerprint, plain
from textune.core.errors import DataError, TextuneError
from textune.data import folds as divide
from textune.data.examples import Examples
from textune.data.folds import Fold, Indices
from textune.data.together import joined_by_text
from textune.models.architecture import find_architecture
from textune.models.catalog import find_model, library_names, seen_by
from textune.results.record import CellKey
from textune.results.run import ApproachInfo, PlannedCell, ProtocolSpec, RunSpec
from textune.study import probe
from textune.study.machine import hardware, versions
from textune.study.spec import StudySpec
from textune.tasks.base import TaskSpec
from textune.tasks.dataset import Dataset, load_dataset


@dataclass(frozen=True)
class Cell:
    """The unit of work."""

    key: CellKey
    fingerprint: str
    approach: Approach
    train: Indices
    valid: Indices
    test: Indices

    @property
    def base_model(self) -> str:
        """Cells of one share a worker that holds it."""
        method = self.approach.tuning
        return f"{self.approach.base} {method.quantisation if method else 'none'}"


@dataclass(frozen=True)
class Plan:
    """Every cell of a study, and everything they need."""

    study: StudySpec
    protocol: ProtocolSpec
    """With ``auto`` and ``all`` replaced by what they became."""
    examples: Examples
    """Training file, then test file."""
    cells: tuple[Cell, ...]
    impossible: dict[str, TextuneError]
    """Label of an approach -> why none of its cells can be run."""
    data_hash: dict[str, str]

    @cached_property
    def tested(self) -> Examples:
        """Every example that some cell tests on, in file order."""
        used = sorted({i for cell in self.cells for i in cell.test})
        return self.examples.take(used)

    @cached_property
    def infos(self) -> dict[str, ApproachInfo]:
        """Label -> approach, as reports know it."""
        task = self.study.task
        return {label: info_of(each, task) for label, each in self.study.approaches.items()}

    def run_spec(self) -> RunSpec:
        """The resolved study for the run folder."""
        return RunSpec(
            textune=__version__,
            name=self.study.folder.as_posix(),
            task=self.study.task,
            protocol=self.protocol,
            approaches=self.infos,
            data_hash=self.data_hash,
            num_examples={"all": len(self.examples), "tested": len(self.tested)},
            versions=versions(),
            hardware=hardware(),
            cells=tuple(PlannedCell(fingerprint=c.fingerprint, cell=c.key) for c in self.cells),
        )


def make_plan(study: StudySpec, dataset: Dataset | None = None) -> Plan:
    """Plan a study on its task's data, which are read unless they are given.

    Raises:
        TextuneError: the data or the protocol make no cells at all.
    """
    dataset = dataset or load_dataset(study.task)
    protocol = _resolved(study, dataset)
    examples = Examples(dataset.train.rows + (dataset.test.rows if dataset.test else ()))
    if protocol.grouped == "texts":
        examples = joined_by_text(examples)
    strata = _strata(study.task, examples)
    parts = _parts(study.task, dataset, examples, strata, protocol)
    impossible = _impossible(study, min(len(part.train) for part, _ in parts))
    cells = []
    hashes = _Hashes(examples)
    for label, approach in study.approaches.items():
        if label in impossible:
            continue
        described = _described(study.task, reads_prompt=approach.reads_prompt)
        identity = approach.identity
        for part, (size, fold) in parts:
            train, valid = _validation(strata, part.train, protocol)
            data = [hashes.of(train), hashes.of(valid), hashes.of(part.test)]
            for seed in protocol.seeds:
                key = CellKey(
                    task=study.task.name, approach=label, size=size, fold=fold, seed=seed
                )
                drawn = None if approach.is_deterministic else seed
                name = fingerprint(approach, identity, described, data, drawn)
                cells.append(Cell(key, name, approach, train, valid, part.test))
    data_hash = {"train": dataset.train.content_hash}
    if dataset.test:
        data_hash["test"] = dataset.test.content_hash
    return Plan(study, protocol, examples, tuple(cells), impossible, data_hash)


def _described(task: TaskSpec, *, reads_prompt: bool) -> list[object]:
    """What of a task, besides its examples, can change what a cell produces."""
    described: list[object] = [task.kind, list(task.labels), task.positive]
    if reads_prompt:
        described += [task.instruction, list(task.labels.values()), list(task.words.values())]
    return described


class _Hashes:
    """Content hashes of parts, each computed once."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples
        self.known: dict[Indices, str] = {}

    def of(self, indices: Indices) -> str:
        if indices not in self.known:
            self.known[indices] = self.examples.take(indices).content_hash
        return self.known[indices]


def _resolved(study: StudySpec, dataset: Dataset) -> ProtocolSpec:
    protocol = study.protocol
    split = protocol.split
    if split == "auto":
        split = "kfold" if dataset.test is None else "fixed"
    if split == "fixed" and dataset.test is None:
        raise DataError(
            f"task {study.task.name} has no test file for a fixed split",
            hint="name one under data.test, or use protocol: {split: kfold}",
        )
    if split == "fixed" and protocol.examples != "all":
        raise DataError(
            f"protocol: examples: {protocol.examples} is for folds, and the split is fixed",
            hint="use sizes for the training part and test_size for the test part",
        )
    grouped = protocol.grouped
    if grouped == "auto":
        grouped = any(e.group is not None for e in dataset.train)
    return replace(
        protocol, split=split, grouped=grouped, folds=protocol.folds if split == "kfold" else 1
    )


def _parts(
    task: TaskSpec,
    dataset: Dataset,
    examples: Examples,
    strata: Examples,
    protocol: ProtocolSpec,
) -> list[tuple[Fold, tuple[int, int]]]:
    """Every (fold at a training size) with its (size, fold number)."""
    if protocol.split == "kfold":
        used = _used(strata, protocol)
        folds = divide.stratified_folds(
            strata.take(used), protocol.folds, protocol.split_seed, grouped=bool(protocol.grouped)
        )
        whole = [
            Fold(*(tuple(used[i] for i in part) for part in (f.train, f.test))) for f in folds
        ]
    else:
        assert dataset.test is not None
        fixed = divide.fixed_fold(dataset.train, dataset.test)
        whole = [replace(fixed, test=_test_part(strata, fixed.test, protocol))]
    largest = max(len(fold.train) for fold in whole)
    parts = []
    for size in protocol.sizes:
        for number, fold in enumerate(whole):
            if size == "all":
                parts.append((fold, (largest, number)))
                continue
            assert isinstance(size, int)
            train = divide.sample(fold.train, strata.answers, size, protocol.split_seed)
            parts.append((replace(fold, train=train), (size, number)))
    _check_labels(task, examples, [fold for fold, _ in parts])
    return parts


def _strata(task: TaskSpec, examples: Examples) -> Examples:
    """The examples with strata for answers: what parts should hold equal shares of."""
    kind = task.kind
    return Examples(tuple(replace(e, answer=kind.stratum(str(e.answer))) for e in examples))


def _used(examples: Examples, protocol: ProtocolSpec) -> Indices:
    """What is divided into folds: everything, or a sample that keeps what belongs together.

    Raises:
        DataError: there are not more examples than the sample is to have.
    """
    everything = tuple(range(len(examples)))
    if protocol.examples == "all":
        return everything
    assert isinstance(protocol.examples, int)
    if protocol.examples >= len(examples):
        raise DataError(
            f"a sample of {protocol.examples} examples out of {len(examples)}",
            hint="use fewer, or all",
        )
    groups = [row.group for row in joined_by_text(examples)]
    share = protocol.examples / len(examples)
    return divide.hold_out(everything, examples.answers, share, protocol.split_seed, groups)[1]


def _test_part(examples: Examples, test: Indices, protocol: ProtocolSpec) -> Indices:
    if protocol.test_size == "all":
        return test
    assert isinstance(protocol.test_size, int)
    return divide.sample(test, examples.answers, protocol.test_size, protocol.split_seed)


def _check_labels(task: TaskSpec, examples: Examples, folds: list[Fold]) -> None:
    for fold in folds:
        answers = (str(examples.rows[i].answer) for i in fold.train)
        have = {label for answer in answers for label in task.kind.labels_in(answer)}
        if missing := [label for label in task.labels if label not in have]:
            raise DataError(
                f"task {task.name}: a training part has no example of {missing[0]!r}",
                hint="remove the label from the task, or give examples of it",
            )


def _validation(
    examples: Examples, train: Indices, protocol: ProtocolSpec
) -> tuple[Indices, Indices]:
    if not protocol.valid_fraction:
        return train, ()
    groups = [e.group for e in examples] if protocol.grouped else None
    return divide.hold_out(
        train, examples.answers, protocol.valid_fraction, protocol.split_seed, groups
    )


def _impossible(study: StudySpec, smallest: int) -> dict[str, TextuneError]:
    """Why approaches cannot be run, as far as that is known before weights are loaded.

    Raises:
        TextuneError: there is no such model, or its configuration cannot be had.
    """
    found: dict[str, TextuneError] = {}
    for label, approach in study.approaches.items():
        if approach.base is not None and approach.base not in library_names():
            find_architecture(find_model(approach.base))  # a folder or Hub id, of either form
        try:
            approach.check(study.task)
            if approach.tuning is not None and approach.base is not None:
                probe.check(approach.tuning, approach.base)
            needed = approach.min_train(study.task)
            if needed > smallest:
                raise DataError(
                    f"{label} needs {needed} training examples, the smallest part has {smallest}",
                    hint="a larger size, fewer folds or fewer demonstrations",
                )
        except TextuneError as error:
            found[label] = error
    return found


def info_of(approach: Approach, task: TaskSpec) -> ApproachInfo:
    """What reports are told about an approach to a task."""
    spec = plain(approach)
    assert isinstance(spec, dict)
    method = approach.tuning
    return ApproachInfo(
        spec=dict(spec),
        family=approach.belongs_to,
        model=approach.base,
        method=method.name if method else None,
        served_by=method.served_by if method else "",
        seen={m: seen for m in approach.models if (seen := seen_by(m, task.corpora))},
    )
