"""What ``textune plan`` expects of a cell against what the cell takes: peak memory and seconds.

Five methods with small and large batches train one epoch on SciCite with the default model and
predict a part of the dev file. Each cell runs in a fresh process, as the first cell of a study;
loading the weights is no part of its time. Expected is what the plan says of a machine on which no
cell was ever done: by rates that it measures on the machine itself (``study.speed``). They are
remembered, so measure them on an idle machine too. The ratio is measured by expected.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from fresh import gigabytes, print_heading
from peers import MODEL

from textune.cli.main import SHARE_CORES
from textune.results.record import Cost
from textune.results.store import Store
from textune.study.estimate import CellEstimate, Estimator
from textune.study.plan import Plan, make_plan
from textune.study.run import Options, run_study
from textune.study.spec import build_study
from textune.study.worker import Step

METHODS = ("lora", "ia3", "prompt_tuning", "full", "qlora")


@dataclass(frozen=True)
class Compared:
    """A cell as it was expected and as it was."""

    label: str
    expected: CellEstimate
    measured: Cost

    @property
    def seconds(self) -> float:
        """Measured, fitting and predicting."""
        return self.measured.fit_seconds + self.measured.predict_seconds


class Silent:
    """A watcher that says nothing."""

    def begin(self, plan: Plan, done: int, repeated: int) -> None:
        """Nothing."""

    def started(self, cell: object) -> None:
        """Nothing."""

    def stepped(self, cell: object, step: Step) -> None:
        """Nothing."""

    def ended(self, cell: object, record: object) -> None:
        """Nothing."""


def planned(methods: list[str], batches: list[int], model: str, num: int, tested: int) -> Plan:
    """One cell for each method and batch size."""
    training = [{"epochs": 1, "batch_size": size} for size in batches]
    entries = [
        {
            "tuned": {"method": method, "model": model, "training": each},
            "label": f"{method}, {each['batch_size']}",
        }
        for method in methods
        for each in training
    ]
    content = {
        "name": "plan-vs-measured",
        "task": "scicite",
        "protocol": {"sizes": [num], "test_size": tested},
        "approaches": entries,
    }
    return make_plan(build_study(content, where="benchmark", beside=Path()))


def compared(plan: Plan) -> Iterator[Compared]:
    """Each cell expected, then run by a worker of its own."""
    estimator = Estimator(plan, [])
    expected = {label: estimator.approach(label).cells[0] for label in plan.study.approaches}
    for cell in plan.cells:
        label = cell.key.approach
        study = replace(plan.study, approaches={label: cell.approach})
        with TemporaryDirectory() as folder:
            alone = replace(plan, study=study, cells=(cell,))
            run_study(alone, Path(folder), Silent(), Options())
            record = Store(Path(folder)).load(cell.fingerprint)
        if record.cost is None:
            print(f"{label}: failed: {record.failure}")
            continue
        yield Compared(label, expected[label], record.cost)


def main() -> None:
    """Print a line a cell, then the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--batches", nargs="+", type=int, default=[4, 16])
    parser.add_argument("--model", default=MODEL, help="catalog name or folder")
    parser.add_argument("--examples", type=int, default=500, help="training examples")
    parser.add_argument("--tested", type=int, default=200, help="tested examples")
    asked = parser.parse_args()
    os.environ.setdefault(*SHARE_CORES)  # as the command does, for its workers
    print_heading()
    plan = planned(asked.methods, asked.batches, asked.model, asked.examples, asked.tested)
    print(f"one epoch of {asked.examples} examples, {asked.tested} predicted; method, batch size:")
    ratios: list[tuple[float, float]] = []
    for found in compared(plan):
        assert found.expected.peak_bytes is not None, found.label
        assert found.measured.peak_bytes is not None, found.label
        memory = found.measured.peak_bytes / found.expected.peak_bytes
        time = found.seconds / found.expected.seconds
        ratios.append((memory, time))
        print(
            f"{found.label:18} memory expected {gigabytes(found.expected.peak_bytes)}, "
            f"measured {gigabytes(found.measured.peak_bytes)}, ratio {memory:.2f}; "
            f"time expected {found.expected.seconds:.0f} s, measured {found.seconds:.0f} s, "
            f"ratio {time:.2f}",
            flush=True,
        )
    for what, index in (("memory", 0), ("time", 1)):
        each = [ratio[index] for ratio in ratios]
        print(f"{what}: ratio {min(each):.2f} to {max(each):.2f}, median {median(each):.2f}")


if __name__ == "__main__":
    main()
