"""Progress on stderr: a live display on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from textune.results.record import Record
from textune.study.plan import Cell, Plan
from textune.study.worker import Step

PLAIN_SECONDS = 15.0
"""Least time between two plain lines about the steps of one cell."""


class StudyProgress:
    """Tells a person how a study goes; a ``Watcher`` of ``study.run``."""

    def __init__(self, total: int) -> None:
        """Of so many cells, in all parts."""
        self.total, self.done = total, 0
        self.metric = self.part = ""
        self.console = Console(stderr=True, highlight=False)
        self.live = self.console.is_terminal
        self.spoke: dict[str, float] = {}
        self.training: set[str] = set()
        """Cells in the middle of their steps: what they read is no news."""
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.live,
        )
        self.overall = self.bars.add_task("cells", total=total, note="")
        self.of_cell = {}  # type: ignore[var-annotated]  # rich's task ids

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bars.stop()

    def begin(self, plan: Plan, done: int, repeated: int) -> None:
        """A study or a part of one, some of whose cells need no work."""
        self.metric = plan.study.task.primary_metric
        self.part = f"{plan.study.part}: " if plan.study.part else ""
        self.done += done + repeated
        self.bars.update(self.overall, completed=self.done)
        before = f", {done} of them done before" if done else ""
        shared = f", {repeated} the same as another" if repeated else ""
        self._say(f"{self.part}{len(plan.cells)} cells{before}{shared}")

    def started(self, cell: Cell) -> None:
        """A worker took up a cell."""
        self.spoke[cell.fingerprint] = time.monotonic()
        if self.live:
            name = self.part + describe(cell)
            self.of_cell[cell.fingerprint] = self.bars.add_task(name, total=None, note="")

    def stepped(self, cell: Cell, step: Step) -> None:
        """A training step of a cell was done."""
        note = f"loss {step.loss:.3f}"
        if step.done < step.total:
            self.training.add(cell.fingerprint)
        else:
            self.training.discard(cell.fingerprint)
        if self.live:
            bar = self.of_cell[cell.fingerprint]
            self.bars.update(bar, total=step.total, completed=step.done, note=note)
        else:
            self._tell(cell, f"step {step.done}/{step.total}, {note}")

    def read(self, cell: Cell, tokens: int) -> None:
        """Models have read so many tokens of a cell's fit, or anew of its predictions."""
        if cell.fingerprint in self.training:
            return
        note = f"{tokens:,} tokens read"
        if self.live:
            self.bars.update(self.of_cell[cell.fingerprint], note=note)
        else:
            self._tell(cell, note)

    def ended(self, cell: Cell, record: Record) -> None:
        """A cell has its record."""
        self.done += 1
        self.bars.update(self.overall, completed=self.done)
        if self.live:
            self.bars.remove_task(self.of_cell.pop(cell.fingerprint))
        name = self.part + describe(cell)
        self._say(f"[{self.done}/{self.total}] {name}: {self._result(record)}")

    def _tell(self, cell: Cell, text: str) -> None:
        """A line about a cell, if the last one was long ago."""
        if time.monotonic() - self.spoke[cell.fingerprint] > PLAIN_SECONDS:
            self.spoke[cell.fingerprint] = time.monotonic()
            self._say(f"  {self.part}{describe(cell)}: {text}")

    def _say(self, text: str) -> None:
        """A line as it is: labels may hold brackets, logs are not cut at 80 columns."""
        self.console.print(text, markup=False, soft_wrap=True)

    def _result(self, record: Record) -> str:
        if record.failure is not None:
            return f"FAILED, {record.failure.kind}: {record.failure.message}"
        value = record.scores.get(self.metric)
        shown = "undefined" if value is None else f"{100 * value:.1f}"
        seconds = record.cost.fit_seconds + record.cost.predict_seconds if record.cost else 0.0
        return f"{self.metric} {shown}, {seconds:.1f} s"


class MovingLine:
    """How far something is: on a terminal a moving line, elsewhere a line now and then."""

    def __init__(self) -> None:
        self.live = sys.stderr.isatty()
        self.spoke = time.monotonic()

    def show(self, text: str) -> None:
        """So far."""
        if self.live:
            sys.stderr.write(f"\r{text}")
            sys.stderr.flush()
        elif time.monotonic() - self.spoke > PLAIN_SECONDS:
            self.spoke = time.monotonic()
            sys.stderr.write(f"{text}\n")

    def finish(self) -> None:
        """Leave the moving line."""
        if self.live:
            sys.stderr.write("\n")


class CountProgress(MovingLine):
    """Counts examples."""

    def __call__(self, done: int) -> None:
        """So many are labelled."""
        self.show(f"labelled: {done:,}")


class FitProgress(MovingLine):
    """Training steps of a single fit."""

    def __call__(self, done: int, total: int, loss: float) -> None:
        """So many of all steps are done."""
        self.show(f"training: step {done:,} of {total:,}, loss {loss:.3f}")


def describe(cell: Cell) -> str:
    """A cell in a few words."""
    key = cell.key
    return f"{key.approach}, fold {key.fold + 1}, seed {key.seed}, {key.size} examples"
