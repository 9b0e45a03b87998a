"""An approach of another package: on cue it fails, dies or sleeps; else it is the majority."""

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textune.approaches.base import Approach, Context, Family, Predictor
from textune.approaches.majority import Majority
from textune.cost.meter import count_work
from textune.data.examples import Example
from textune.tasks.base import TaskSpec

LONGEST_SLEEP = 60.0
"""Seconds after which a sleeper that nobody killed gives up."""


@dataclass(frozen=True, kw_only=True)
class Staged(Approach):
    """Plays its act, then does what the majority approach does."""

    family: ClassVar[Family] = "baseline"

    act: Literal["none", "fail", "die", "sleep", "run out of memory", "count"] = "none"
    marker: str = ""
    """A file: a sleeper writes its process id into it; others play only while it is missing."""

    def warm_up(self, context: Context) -> None:
        """Count work that a cell does not pay for."""
        if self.act == "count":
            count_work(tokens=1000)

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Play, then count labels."""
        if not self.marker or not Path(self.marker).exists():
            self._play()
        return Majority().fit(task, train, valid, seed=seed, context=context)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """As the majority approach."""
        return Majority().load(task, folder, context=context)

    def _play(self) -> None:
        if self.act == "count":
            count_work(tokens=7)
        if self.act == "fail":
            raise RuntimeError("staged failure")
        if self.act == "run out of memory":
            raise MemoryError
        if self.act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.act == "sleep":
            Path(self.marker).write_text(str(os.getpid()), encoding="utf-8")
            time.sleep(LONGEST_SLEEP)


def give_up(pipe: object, setup: object) -> None:
    """A worker that dies before it reads anything."""
    os._exit(3)
