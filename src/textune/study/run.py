"""Do the cells that are not done: workers, failures as records, resumption.

A cell is done when its record is on disk; nothing else is remembered, so a study can be killed at
any instant and started again.
"""

import contextlib
import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import connection
from pathlib import Path
from typing import Any, Protocol

from textune.core import files
from textune.core.errors import StoreError
from textune.cost.price import load_prices, price
from textune.models.device import price_name, usable_bytes
from textune.results.record import Failure, Record
from textune.results.run import load_run, load_tested, save_run
from textune.results.store import Store
from textune.study.beside import groups_of
from textune.study.machine import cores
from textune.study.plan import Cell, Plan
from textune.study.work import failed
from textune.study.worker import Ended, Read, Setup, Step, work


class Watcher(Protocol):
    """Who is told what happens."""

    def begin(self, plan: Plan, done: int, repeated: int) -> None:
        """A study or a part of one; cells that are done, and those that repeat another."""

    def started(self, cell: Cell) -> None:
        """A worker took up a cell."""

    def stepped(self, cell: Cell, step: Step) -> None:
        """A training step of a cell was done."""

    def read(self, cell: Cell, tokens: int) -> None:
        """Models have read so many tokens of a cell's fit, or anew of its predictions."""

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
    side_by_side: int = 1
    """Most cells that are fitted in one pass over their base, where an approach can."""
    memory: int | None = None
    """Bytes that all workers together may take; None: most of the machine's or the device's."""


def run_study(plan: Plan, root: Path, watcher: Watcher, options: Options) -> Outcome:
    """Do what is not done yet.

    Raises:
        TextuneError: an approach is impossible, the run folder is locked, damaged or read-only.
    """
    check_possible(plan)
    setup = _setup(plan, root, options)
    files.check_writable(root)
    with files.locked(root / "lock", wait=False):
        store = Store(root)
        if options.retry_failed:
            _forget_failures(store, plan)
        known = {f: store.load(f) for c in plan.cells if store.has(f := c.fingerprint)}
        todo = [c for c in plan.cells if c.fingerprint not in known]
        unique = _first_of_each(todo)
        watcher.begin(plan, len(plan.cells) - len(todo), len(todo) - len(unique))
        if todo or _is_amended(root, plan):
            save_run(root, plan.run_spec(), plan.tested)
        if unique:
            _Crew(setup, store, watcher, options.workers).do(
                groups_of(unique, options.side_by_side)
            )
        known |= {r.fingerprint: r for r in store.records(c.fingerprint for c in unique)}
        records = [known[f] for c in plan.cells if (f := c.fingerprint) in known]
    failures = sum(r.status == "failed" for r in records)
    return Outcome(root, len(records) - failures, failures, len(plan.cells) - len(todo))


def check_possible(plan: Plan) -> None:
    """Refuse a plan with an approach that cannot be run.

    Raises:
        TextuneError: the first reason why not.
    """
    for error in plan.impossible.values():
        raise error


def _setup(plan: Plan, root: Path, options: Options) -> Setup:
    """What workers need; a price table that does not know this machine is refused here."""
    prices, machine = load_prices(), price_name()
    price(0.0, machine=machine, table=prices)
    return Setup(
        task=plan.study.task,
        examples=plan.examples,
        root=root,
        checkpoint_seconds=options.checkpoint_seconds,
        memory=(options.memory or usable_bytes()) // options.workers,
        prices=prices,
        machine=machine,
    )


def _first_of_each(cells: Sequence[Cell]) -> list[Cell]:
    """Cells that do not repeat an earlier one."""
    found: dict[str, Cell] = {}
    for cell in cells:
        found.setdefault(cell.fingerprint, cell)
    return list(found.values())


def _is_amended(root: Path, plan: Plan) -> bool:
    """Whether the run folder describes another study than the plan, or nothing readable."""
    try:
        known, tested = load_run(root), load_tested(root)
    except StoreError:
        return True
    planned = replace(
        plan.run_spec(),
        textune=known.textune,
        versions=known.versions,
        hardware=known.hardware,
    )
    return planned != known or plan.tested != tested


def _forget_failures(store: Store, plan: Plan) -> None:
    for cell in plan.cells:
        if store.has(cell.fingerprint) and store.load(cell.fingerprint).status == "failed":
            (store.cell(cell.fingerprint) / "record.json").unlink()


@dataclass
class _Worker:
    """A process, the pipe to it and the groups of cells it has still to do."""

    process: Any
    pipe: Any
    groups: deque[tuple[Cell, ...]]
    current: dict[str, Cell] = field(default_factory=dict)
    """Cells of its group that have no record yet, by fingerprint."""


class _Crew:
    """Sends cells to workers, group by group, and outlives the death of any of them."""

    def __init__(self, setup: Setup, store: Store, watcher: Watcher, num_workers: int) -> None:
        self.setup = setup
        self.store = store
        self.watcher = watcher
        self.num_workers = num_workers
        self.spawn = multiprocessing.get_context("spawn")

    def do(self, groups: list[tuple[Cell, ...]]) -> None:
        """Do all groups of cells; raises what a worker cannot go on from."""
        waiting = deque(_batches(groups, self.num_workers))
        active: list[_Worker] = []
        try:
            while waiting or active:
                while waiting and len(active) < self.num_workers:
                    active.append(self._start(waiting.popleft()))
                for worker in self._ready(active):
                    if not self._listen(worker):
                        active.remove(worker)
                        if worker.groups:
                            waiting.appendleft(worker.groups)
        finally:
            for worker in active:
                worker.process.kill()
                worker.process.join()

    def _start(self, groups: deque[tuple[Cell, ...]]) -> _Worker:
        ours, theirs = self.spawn.Pipe()
        process = self.spawn.Process(target=work, args=(theirs, self.setup), daemon=True)
        threads = str(max(1, cores() // self.num_workers))
        with _environment(OMP_NUM_THREADS=threads, TOKENIZERS_PARALLELISM="false"):
            process.start()
        theirs.close()
        worker = _Worker(process, ours, groups)
        self._next(worker)
        return worker

    def _next(self, worker: _Worker) -> bool:
        """Send the next group; without one, end the worker.

        That a worker died before it could read is found when it is listened to.
        """
        group = worker.groups.popleft() if worker.groups else None
        with contextlib.suppress(ConnectionError):
            worker.pipe.send(group)
        if group is None:
            worker.process.join()
            return False
        worker.current = {cell.fingerprint: cell for cell in group}
        for cell in group:
            self.watcher.started(cell)
        return True

    @staticmethod
    def _ready(active: list[_Worker]) -> Iterator[_Worker]:
        ready = connection.wait([w.pipe for w in active])
        return (w for w in list(active) if w.pipe in ready)

    def _listen(self, worker: _Worker) -> bool:
        """Take one event; false when the worker is gone."""
        try:
            event = worker.pipe.recv()
        except (EOFError, OSError):  # the pipe ended, maybe in the middle of an event
            self._bury(worker)
            return False
        if isinstance(event, Ended) and event.error is not None:
            raise event.error
        cell = worker.current[event.fingerprint]
        if isinstance(event, Step):
            self.watcher.stepped(cell, event)
        elif isinstance(event, Read):
            self.watcher.read(cell, event.tokens)
        else:
            self._has_record(worker, cell)
        return bool(worker.current) or self._next(worker)

    def _has_record(self, worker: _Worker, cell: Cell) -> None:
        del worker.current[cell.fingerprint]
        self.watcher.ended(cell, self.store.load(cell.fingerprint))

    def _bury(self, worker: _Worker) -> None:
        """A worker died in the middle of a cell, or of several: that is their result."""
        worker.process.join()
        code = worker.process.exitcode
        message = f"the worker process died (exit code {code})"
        if code == -9:
            message = "the worker process was killed (signal 9), most often for lack of memory"
        for cell in list(worker.current.values()):
            if not self.store.has(cell.fingerprint):
                hint = "textune study ... --retry-failed"
                failure = Failure(kind="killed", message=message, hint=hint)
                self.store.save(failed(cell, failure), None)
            self._has_record(worker, cell)


@contextlib.contextmanager
def _environment(**defaults: str) -> Iterator[None]:
    """For a process that is started inside: these variables, unless the user set them."""
    added = {name: value for name, value in defaults.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _batches(
    groups: Sequence[tuple[Cell, ...]], workers: int
) -> Iterator[deque[tuple[Cell, ...]]]:
    """Groups by base model, so that weights load once; several workers share many of them."""
    of_base: dict[str, list[tuple[Cell, ...]]] = {}
    for group in groups:
        of_base.setdefault(group[0].base_model, []).append(group)
    for each in of_base.values():
        for start in range(min(workers, len(each))):
            yield deque(each[start::workers])
