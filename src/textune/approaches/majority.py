"""The most frequent label, whatever the input: the floor of every table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.core.artifacts import read_json, write_json
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Majority(Approach):
    """The most frequent label of the training part, whatever the input."""

    family: ClassVar[Family] = "baseline"

    @property
    def is_deterministic(self) -> bool:
        """Counting is."""
        return True

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Count labels; the first in the task's order wins a tie."""
        counts = Counter(label for e in train for label in task.kind.labels_in(str(e.answer)))
        shares = [counts[label] / len(train) for label in task.labels]
        return MajorityPredictor(task, shares)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From ``majority.json``."""
        content = read_json(folder / "majority.json")
        return MajorityPredictor(task, [float(content[label]) for label in task.labels])


class MajorityPredictor(Predictor):
    """Holds the share of each label."""

    def __init__(self, task: TaskSpec, shares: list[float]) -> None:
        self.task = task
        self.shares = shares
        self.notes: Notes = {}

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The same answer for all, with the training shares as scores."""
        scores_NC = np.tile(self.shares, (len(examples), 1))
        return Predictions(self.task.answers_from(scores_NC), scores_NC)

    def save(self, folder: Path) -> None:
        """``majority.json``: label -> share."""
        write_json(folder / "majority.json", dict(zip(self.task.labels, self.shares, strict=True)))
