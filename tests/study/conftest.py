from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textune.results.record import Record
from textune.results.store import Store
from textune.study.plan import Cell, Plan, make_plan
from textune.study.run import Options, Outcome, run_study
from textune.study.spec import build_study
from textune.study.worker import Step


class Listener:
    """A watcher that remembers what it was told."""

    def __init__(self) -> None:
        self.begun: list[tuple[int, int, int]] = []
        """Cells of a plan, those that are done, those that repeat another."""
        self.started_labels: list[str] = []
        self.tokens: list[int] = []
        self.records: dict[str, Record] = {}
        """Label of the approach -> its last record."""

    def begin(self, plan: Plan, done: int, repeated: int) -> None:
        self.begun.append((len(plan.cells), done, repeated))

    def started(self, cell: Cell) -> None:
        self.started_labels.append(cell.key.approach)

    def read(self, cell: Cell, tokens: int) -> None:
        self.tokens.append(tokens)

    def stepped(self, cell: Cell, step: Step) -> None:
        assert step.done <= step.total

    def ended(self, cell: Cell, record: Record) -> None:
        self.records[cell.key.approach] = record


@pytest.fixture
def plan_of(moods: Path) -> Callable[..., Plan]:
    """Plans approaches on the 24 moods in two folds, or as the protocol says."""

    def make(*approaches: Any, task: Any = "mood.yaml", **protocol: Any) -> Plan:
        content = {
            "name": "small",
            "task": task,
            "protocol": {"split": "kfold", "folds": 2, **protocol},
            "approaches": list(approaches),
        }
        return make_plan(build_study(content, where="test", beside=moods))

    return make


@pytest.fixture
def run(moods: Path) -> Callable[..., tuple[Outcome, Listener]]:
    """Runs a plan in the folder ``run``."""

    def call(plan: Plan, **options: Any) -> tuple[Outcome, Listener]:
        heard = Listener()
        return run_study(plan, moods / "run", heard, Options(**options)), heard

    return call


@pytest.fixture
def listener() -> Listener:
    """A watcher that remembers."""
    return Listener()


@pytest.fixture
def records(moods: Path) -> Callable[[], dict[str, int]]:
    """When each record in the folder ``run`` was written, in nanoseconds."""

    def call() -> dict[str, int]:
        found = Store(moods / "run").root.glob("cells/*/record.json")
        return {path.parent.name: path.stat().st_mtime_ns for path in found}

    return call
