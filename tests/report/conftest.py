"""Synthetic run folders: seeded predictions with known accuracies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from textune.core import seeds
from textune.cost.energy import Energy
from textune.data.examples import Example, Examples
from textune.data.predictions import Predictions
from textune.evaluation.metrics.label import Label
from textune.results.parts import PartsSpec, save_parts
from textune.results.record import CellKey, Cost, Failure, Record, ScoredExamples, Trial
from textune.results.run import ApproachInfo, PlannedCell, ProtocolSpec, RunSpec, save_run
from textune.results.store import Store
from textune.tasks.base import Columns, DataSpec, TaskSpec
from textune.tasks.kinds.classify import Classify
from textune.tasks.kinds.pair import Pair

LABELS = ("background", "method", "result")


@dataclass(frozen=True, kw_only=True)
class Fake:
    """An approach whose predictions are drawn: right with probability ``accuracy``."""

    accuracy: float
    gain: float = 0.0
    """Added to the accuracy at the largest size, in proportion below."""
    price: float | None = 1.0
    fit_seconds: float = 60.0
    predict_seconds: float = 2.0
    peak_bytes: int | None = 2**30
    latency: float | None = 0.02
    family: str = "tuned"
    invalid: float = 0.0
    has_scores: bool = True
    failed: Sequence[tuple[int, int]] = ()
    """(fold, seed) of cells that failed."""
    missing: Sequence[tuple[int, int]] = ()
    """(fold, seed) of cells that did not run."""
    trials: Sequence[Trial] = ()
    """What every cell tried."""
    cut: int = 0
    """Tested examples that were too long."""
    side_by_side: int | None = None
    """How many of its cells were trained together."""
    seen: Sequence[str] = ()
    """What its model, minilm, was trained on of the data that are tested."""
    copy_of: str = ""
    """Draws the same random numbers as the approach of that label."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a synthetic study looks like."""

    approaches: dict[str, Fake]
    num_examples: int = 240
    folds: int = 1
    seeds: Sequence[int] = (0,)
    sizes: Sequence[int] = (500,)
    texts: dict[int, str] = field(default_factory=dict)
    """Texts of some examples, by position."""
    labels: Sequence[str] = LABELS
    positive: str | None = None
    """Makes it a pair task with this positive label."""
    is_uneven: bool = False
    """Folds of odd number have one training example less."""


def write_run(root: Path, design: Design) -> Path:
    """A run folder of that design."""
    tested = _examples(design)
    splits = np.array_split(np.arange(len(tested)), design.folds)
    store, cells = Store(root), []
    for label, fake in design.approaches.items():
        for size in design.sizes:
            for seed in design.seeds:
                for fold, part in enumerate(splits):
                    own_size = size - fold % 2 * design.is_uneven
                    key = CellKey(task="demo", approach=label, size=own_size, fold=fold, seed=seed)
                    name = f"{seeds.derive(0, label, size, fold, seed):016x}"[:16]
                    cells.append(PlannedCell(fingerprint=name, cell=key))
                    if (fold, seed) not in fake.missing:
                        examples = tested.take(part.tolist())
                        _write_cell(store, name, key, fake, examples, design)
    save_run(root, _run(design, tuple(cells)), tested)
    return root


def _write_cell(
    store: Store, name: str, key: CellKey, fake: Fake, examples: Examples, design: Design
) -> None:
    if (key.fold, key.seed) in fake.failed:
        failure = Failure(kind="out of memory", message="needed 9 GiB", hint="use a smaller batch")
        store.save(Record(fingerprint=name, status="failed", cell=key, failure=failure), None)
        return
    share = key.size / (max(design.sizes) or 1)
    accuracy = fake.accuracy + fake.gain * share
    draws = seeds.generator(7, fake.copy_of or key.approach, key.size, key.fold, key.seed)
    predictions = _predict(draws, examples.answers, accuracy, fake, list(design.labels))
    metrics = Label(labels=tuple(design.labels), positive=design.positive)
    record = Record(
        fingerprint=name,
        status="done",
        cell=key,
        scores=metrics.score(predictions, examples.answers),
        cost=_cost(fake),
        num_train=key.size,
        num_test=len(examples),
        notes={"test_cut": fake.cut}
        | ({"search_train": 400, "search_valid": 100} if fake.trials else {})
        | ({"side_by_side": fake.side_by_side} if fake.side_by_side else {}),
        trials=list(fake.trials),
    )
    store.save(record, ScoredExamples([e.id for e in examples], examples.answers, predictions))


def _predict(
    draws: np.random.Generator, gold: list[str], accuracy: float, fake: Fake, labels: list[str]
) -> Predictions:
    answers: list[str | None] = []
    scores = np.full((len(gold), len(labels)), 0.0)
    for row, answer in enumerate(gold):
        chance, shift, confidence = draws.random(), draws.integers(1, len(labels)), draws.random()
        at = labels.index(answer)
        at = at if chance < accuracy else (at + int(shift)) % len(labels)
        scores[row] = (0.4 - confidence * 0.35) / (len(labels) - 1)
        scores[row, at] = 0.6 + confidence * 0.35
        answers.append(None if draws.random() < fake.invalid else labels[at])
    return Predictions(answers, scores if fake.has_scores else None)


def _cost(fake: Fake) -> Cost:
    return Cost(
        fit_seconds=fake.fit_seconds,
        predict_seconds=fake.predict_seconds,
        cpu_seconds=fake.fit_seconds * 1.9,
        peak_bytes=fake.peak_bytes,
        peak_kind="resident",
        total_params=134_515_008,
        trainable_params=4_884_480 if fake.family == "tuned" else None,
        latency_p50_seconds=fake.latency and fake.latency * 0.8,
        latency_p95_seconds=fake.latency,
        energy=Energy(
            joules=fake.fit_seconds * 15, provenance="estimate", note="15 W assumed for the CPU"
        ),
        price=fake.price,
        price_currency="EUR",
        price_table="example cloud, 2026-01",
    )


def _examples(design: Design) -> Examples:
    draws = seeds.generator(3, "gold")
    rows = []
    for number in range(design.num_examples):
        answer = design.labels[int(draws.choice(len(design.labels), p=_shares(design)))]
        text = f"Sentence {number} cites earlier work for its {answer}, as is usual."
        texts = (design.texts.get(number, text),) * (1 if design.positive is None else 2)
        rows.append(Example(f"e{number:05d}", texts, answer))
    return Examples(tuple(rows))


def _shares(design: Design) -> list[float]:
    weights = np.arange(len(design.labels), 0, -1)
    return list(weights / weights.sum())


def _run(design: Design, cells: tuple[PlannedCell, ...]) -> RunSpec:
    return RunSpec(
        textune="0.1.0",
        name="citation study",
        task=TaskSpec(
            name="demo",
            title="Why a sentence cites",
            kind=Classify() if design.positive is None else Pair(),
            instruction="Say why the sentence cites.",
            labels=dict.fromkeys(design.labels, ""),
            positive=design.positive,
            data=DataSpec(
                train="sample:demo.csv",
                columns=Columns(text="text" if design.positive is None else ("one", "two")),
            ),
            sample="written by us",
            source="made up for tests",
        ),
        protocol=ProtocolSpec(
            split="kfold" if design.folds > 1 else "fixed",
            folds=design.folds,
            grouped=False,
            seeds=tuple(design.seeds),
            sizes=tuple(design.sizes),
        ),
        approaches={
            label: ApproachInfo(
                spec={label: {}},
                family=fake.family,
                seen={"minilm": tuple(fake.seen)} if fake.seen else {},
            )
            for label, fake in design.approaches.items()
        },
        data_hash={"train": "0123456789abcdef"},
        num_examples={"train": 500, "test": design.num_examples},
        versions={"python": "3.11.7"},
        hardware="2 CPU cores",
        cells=cells,
    )


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Writes a run folder: ``make_run({"lora": {"accuracy": 0.8}}, folds=5)``.

    The first argument holds the fields of a ``Fake`` for each approach, the keywords those of the
    ``Design``.
    """

    def make(approaches: dict[str, dict[str, object]], **design: object) -> Path:
        fakes = {label: Fake(**fields) for label, fields in approaches.items()}
        return write_run(tmp_path / "run", Design(approaches=fakes, **design))

    return make


@pytest.fixture
def make_parts(tmp_path: Path) -> Callable[..., Path]:
    """Writes a study with parts: ``make_parts({"a": ({"lora": {"accuracy": 0.8}}, {})})``.

    Each part is the approaches and the design of a ``make_run``; None is one that has not run.
    """

    def make(
        parts: dict[str, tuple[dict[str, dict[str, object]], dict[str, object]] | None],
    ) -> Path:
        for name, part in parts.items():
            if part is not None:
                fakes = {label: Fake(**fields) for label, fields in part[0].items()}
                write_run(tmp_path / name, Design(approaches=fakes, **part[1]))
        save_parts(tmp_path, PartsSpec(name="two papers", parts=tuple(parts)))
        return tmp_path

    return make
