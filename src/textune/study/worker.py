"""A worker process: does the cells it is sent, one by one or several together, and tells.

It dies with its parent, so that a killed study leaves nothing running.
"""

import os
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import TypeAlias

from textune.approaches.base import Context
from textune.core.errors import TextuneError
from textune.core.quiet import quiet_libraries
from textune.cost.price import PriceTable
from textune.data.examples import Examples
from textune.models.device import device_peak
from textune.results.store import Store
from textune.study.beside import run_group
from textune.study.plan import Cell
from textune.study.work import Bench
from textune.tasks.base import TaskSpec

READ_SECONDS = 1.0
"""Least time between two words about tokens that were read."""


@dataclass(frozen=True)
class Setup:
    """What a worker is told once."""

    task: TaskSpec
    examples: Examples
    root: Path
    checkpoint_seconds: float
    memory: int
    """Bytes that it may take."""
    prices: PriceTable
    machine: str
    """The price table's name for the machine."""


@dataclass(frozen=True)
class Step:
    """A training step was done."""

    fingerprint: str
    done: int
    total: int
    loss: float


@dataclass(frozen=True)
class Read:
    """Models have read so many tokens of a fit, or anew of its predictions."""

    fingerprint: str
    tokens: int


@dataclass(frozen=True)
class Ended:
    """A cell has a record, or (with an error) the worker cannot go on at all."""

    fingerprint: str
    error: TextuneError | None = None


_Pipe: TypeAlias = "connection.Connection[Step | Read | Ended, tuple[Cell, ...] | None]"


@dataclass
class _Told:
    """Sends on what happens in a cell."""

    pipe: _Pipe
    fingerprint: str
    last_read: float = float("-inf")

    def step(self, done: int, total: int, loss: float) -> None:
        self.pipe.send(Step(self.fingerprint, done, total, loss))

    def read(self, tokens: int) -> None:
        now = time.monotonic()
        if now - self.last_read > READ_SECONDS:
            self.last_read = now
            self.pipe.send(Read(self.fingerprint, tokens))


def work(pipe: _Pipe, setup: Setup) -> None:
    """Main of a worker: cells come in, events go out, None ends it."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the study, which ends its workers
    quiet_libraries()
    bench = Bench(
        task=setup.task,
        examples=setup.examples,
        store=Store(setup.root),
        context=Context(checkpoint_seconds=setup.checkpoint_seconds, memory=setup.memory),
        prices=setup.prices,
        machine=setup.machine,
        device_peak=device_peak(),
    )

    def told(cell: Cell) -> _Told:
        return _Told(pipe, cell.fingerprint)

    while (cells := pipe.recv()) is not None:
        try:
            for cell in run_group(cells, bench, told):
                pipe.send(Ended(cell.fingerprint))
        except TextuneError as error:  # the store refuses: nothing can be kept, so stop
            pipe.send(Ended(cells[0].fingerprint, error))
            return


def _die_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a worker is started by a study"
    connection.wait([parent.sentinel])
    os._exit(1)
