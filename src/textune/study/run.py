"""Do the cells that are not done: workers, failures as records, resumption.

A cell is done when its record is on disk; nothing else is remembered, so a study can be killed at
any instant and started again.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from textune.core import files
from textune.results.record import Failure, Record
from textune.results.run import save_run
from textune.results.store import Store
from textune.study.machine import cores
from textune.study.plan import Cell, Plan
from textune.study.work import failed
from textune.study.worker import Ended, Setup, Step, work


class Watcher(Protocol):
    """Who is told what happens."""

    def begin(self, cells: int, done: int) -> None:
        """A study of so many cells, so many of them done already."""

    def started(self, cell: Cell) -> None:
        """A worker took up a cell."""

    def stepped(self, cell: Cell, step: Step) -> None:
        """A training step of a cell was done."""

    def ended(self, cell: Cell, record: Record) -> None:
        """A cell has its record."""


@dataclass(frozen=True)
class Outcome:
    """What a study came to."""

    root: Path
    done: int
    failed: int
    already: int
    """Of the done and failed ones: those that an earlier run did."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run, without effect on any result."""

    workers: int = 1
    retry_failed: bool = False
    checkpoint_seconds: float = 30.0


def run_study(plan: Plan, root: Path, watcher: Watcher, options: Options) -> Outcome:
    """Do what is not done yet.

    Raises:
        TextuneError: an approach is impossible, the run folder is locked, damaged or read-only.
    """
    for error in plan.impossible.values():
        raise error
    files.check_writable(root)
    with files.locked(root / "lock", wait=False):
        store = Store(root)
        if options.retry_failed:
            _forget_failures(store, plan)
        known = {f: store.load(f) for c in plan.cells if store.has(f := c.fingerprint)}
        todo = [c for c in plan.cells if c.fingerprint not in known]
        unique = list({c.fingerprint: c for c in todo}.values())
        watcher.begin(len(plan.cells), len(plan.cells) - len(todo))
        if todo or not (root / "study.yaml").exists() or _is_amended(root, plan):
            save_run(root, plan.run_spec(), plan.tested)
        if unique:
            _Crew(plan, store, watcher, options).do(unique)
        records = store.records(c.fingerprint for c in plan.cells)
    failures = sum(r.status == "failed" for r in records)
    return Outcome(root, len(records) - failures, failures, len(plan.cells) - len(todo))


def _is_amended(root: Path, plan: Plan) -> bool:
    """Whether the run folder describes another set of cells than the plan."""
    text = (root / "study.yaml").read_text(encoding="utf-8")
    return any(c.fingerprint not in text for c in plan.cells) or text.count(
        "fingerprint:"
    ) != len(plan.cells)


def _forget_failures(store: Store, plan: Plan) -> None:
    for cell in plan.cells:
        if store.has(cell.fingerprint) and store.load(cell.fingerprint).status == "failed":
            (store.cell(cell.fingerprint) / "record.json").unlink()


@dataclass
class _Worker:
    """A process, the pipe to it and the cells it has still to do."""

    process: Any
    pipe: Any
    cells: deque[Cell]
    current: Cell = field(init=False)


class _Crew:
    """Sends cells to workers, group by group, and outlives the death of any of them."""

    def __init__(self, plan: Plan, store: Store, watcher: Watcher, options: Options) -> None:
        self.store = store
        self.watcher = watcher
        self.num_workers = max(1, options.workers)
        self.setup = Setup(
            task=plan.study.task,
            examples=plan.examples,
            root=store.root,
            checkpoint_seconds=options.checkpoint_seconds,
        )
        self.spawn = multiprocessing.get_context("spawn")

    def do(self, cells: list[Cell]) -> None:
        """Do all cells; raises what a worker cannot go on from."""
        waiting = deque(_batches(cells, self.num_workers))
        active: list[_Worker] = []
        try:
            while waiting or active:
                while waiting and len(active) < self.num_workers:
                    active.append(self._start(waiting.popleft()))
                for worker in self._ready(active):
                    if not self._listen(worker):
                        active.remove(worker)
                        if worker.cells:
                            waiting.appendleft(worker.cells)
        finally:
            for worker in active:
                worker.process.kill()
                worker.process.join()

    def _start(self, cells: deque[Cell]) -> _Worker:
        ours, theirs = self.spawn.Pipe()
        os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // self.num_workers))
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        process = self.spawn.Process(target=work, args=(theirs, self.setup), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, cells)
        self._next(worker)
        return worker

    def _next(self, worker: _Worker) -> bool:
        """Send the next cell; without one, end the worker."""
        if not worker.cells:
            worker.pipe.send(None)
            worker.process.join()
            return False
        worker.current = worker.cells.popleft()
        self.watcher.started(worker.current)
        worker.pipe.send(worker.current)
        return True

    @staticmethod
    def _ready(active: list[_Worker]) -> Iterator[_Worker]:
        ready = connection.wait([w.pipe for w in active])
        return (w for w in list(active) if w.pipe in ready)

    def _listen(self, worker: _Worker) -> bool:
        """Take one event; false when the worker is gone."""
        try:
            event = worker.pipe.recv()
        except (EOFError, ConnectionError):
            self._bury(worker)
            return False
        if isinstance(event, Step):
            self.watcher.stepped(worker.current, event)
            return True
        assert isinstance(event, Ended)
        if event.error is not None:
            raise event.error
        self.watcher.ended(worker.current, self.store.load(event.fingerprint))
        try:
            return self._next(worker)
        except ConnectionError:
            self._bury(worker)
            return False

    def _bury(self, worker: _Worker) -> None:
        """A worker died in the middle of a cell: that is the cell's result."""
        worker.process.join()
        cell, code = worker.current, worker.process.exitcode
        if not self.store.has(cell.fingerprint):
            message = f"the worker process died (exit code {code})"
            if code == -9:
                message = "the worker process was killed (signal 9), most often for lack of memory"
            failure = Failure(
                kind="killed", message=message, hint="textune study ... --retry-failed"
            )
            self.store.save(failed(cell, failure), None)
        self.watcher.ended(cell, self.store.load(cell.fingerprint))


def _batches(cells: list[Cell], workers: int) -> Iterator[deque[Cell]]:
    """Cells by base model, so that weights load once; several workers share large groups."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    for group in groups.values():
        for start in range(min(workers, len(group))):
            yield deque(group[start::workers])

