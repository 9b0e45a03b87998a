"""``textune report`` on a run of 1,000 cells with drawn predictions: seconds from call to page.

Ten approaches, five training sizes, five folds and four seeds; ``--examples`` are divided over the
folds. The run is built in a temporary folder and thrown away.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fresh import print_heading

from textune.core.seeds import generator
from textune.data.examples import Example, Examples
from textune.data.predictions import Predictions
from textune.evaluation.metrics.label import Label
from textune.results.record import CellKey, Cost, Record, ScoredExamples
from textune.results.run import ApproachInfo, PlannedCell, ProtocolSpec, RunSpec, save_run
from textune.results.store import Store
from textune.tasks.base import DataSpec, TaskSpec
from textune.tasks.kinds.classify import Classify

LABELS = ("background", "method", "result")
APPROACHES = tuple(f"approach {letter}" for letter in "ABCDEFGHIJ")
SIZES = (100, 200, 400, 800, 1600)
FOLDS = 5
SEEDS = (0, 1, 2, 3)


def build_run(root: Path, num_examples: int) -> int:
    """Write the run; gives the number of cells."""
    draw = generator(0, "gold")
    answers = [LABELS[i] for i in draw.integers(len(LABELS), size=num_examples)]
    tested = Examples(
        tuple(
            Example(f"e{at:06d}", (f"Sentence {at} cites earlier work.",), answer)
            for at, answer in enumerate(answers)
        )
    )
    parts = [tested.take(part.tolist()) for part in _divided(num_examples)]
    store = Store(root)
    cells: list[PlannedCell] = []
    for label, size, fold, seed in itertools.product(APPROACHES, SIZES, range(FOLDS), SEEDS):
        key = CellKey(task="drawn", approach=label, size=size, fold=fold, seed=seed)
        name = f"{len(cells):016x}"
        cells.append(PlannedCell(fingerprint=name, cell=key))
        _write_cell(store, name, key, parts[fold])
    save_run(root, _run(cells, num_examples), tested)
    return len(cells)


def _divided(num_examples: int) -> list[np.ndarray]:
    return np.array_split(np.arange(num_examples), FOLDS)


def _write_cell(store: Store, name: str, key: CellKey, examples: Examples) -> None:
    place = APPROACHES.index(key.approach)
    accuracy = 0.5 + 0.03 * place + 0.02 * SIZES.index(key.size)
    said = _drawn(key, examples.answers, accuracy)
    record = Record(
        fingerprint=name,
        status="done",
        cell=key,
        scores=Label(labels=LABELS).score(said, examples.answers),
        cost=Cost(
            fit_seconds=10.0 * (place + 1),
            predict_seconds=2.0,
            cpu_seconds=20.0 * (place + 1),
            peak_bytes=(place + 1) * 2**28,
            peak_kind="resident",
            latency_p50_seconds=0.01,
            latency_p95_seconds=0.02,
            price=0.01 * (place + 1),
            price_currency="EUR",
            price_table="drawn",
        ),
        num_train=key.size,
        num_test=len(examples),
    )
    store.save(record, ScoredExamples([e.id for e in examples], examples.answers, said))


def _drawn(key: CellKey, gold: Sequence[str], accuracy: float) -> Predictions:
    """Answers that are right with that probability, and scores that agree with them."""
    draw = generator(key.seed, key.approach, key.size, key.fold)
    codes = np.array([LABELS.index(answer) for answer in gold])
    shift = np.where(draw.random(len(gold)) < accuracy, 0, draw.integers(1, 3, len(gold)))
    said = (codes + shift) % len(LABELS)
    scores_NC = np.full((len(gold), len(LABELS)), 0.15)
    scores_NC[np.arange(len(gold)), said] = 0.7
    return Predictions([LABELS[i] for i in said], scores_NC)


def _run(cells: Sequence[PlannedCell], num_examples: int) -> RunSpec:
    return RunSpec(
        textune="0",
        name="drawn",
        task=TaskSpec(
            name="drawn",
            kind=Classify(),
            instruction="Say why the sentence cites.",
            labels=dict.fromkeys(LABELS, ""),
            data=DataSpec(train="sample:drawn.csv"),
            source="drawn for a benchmark",
        ),
        protocol=ProtocolSpec(split="kfold", folds=FOLDS, grouped=False, seeds=SEEDS, sizes=SIZES),
        approaches={n: ApproachInfo(spec={n: {}}, family="small model") for n in APPROACHES},
        data_hash={"train": "0" * 16},
        num_examples={"all": num_examples, "tested": num_examples},
        cells=tuple(cells),
    )


def main() -> None:
    """Build, report, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--examples", type=int, default=1000, help="tested examples of the run")
    asked = parser.parse_args()
    print_heading("altair", "vl-convert-python")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "run"
        num_cells = build_run(root, asked.examples)
        start = time.perf_counter()
        command = [sys.executable, "-m", "textune", "report", str(root)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        pages = sum(path.is_file() for path in (root / "report").rglob("*"))
    per_cell = asked.examples // FOLDS
    print(f"{num_cells} cells of {per_cell} predictions: {seconds:.1f} s, {pages} files written")


if __name__ == "__main__":
    main()
