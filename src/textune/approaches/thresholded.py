"""Another approach, whose yes begins at a score that was fitted inside the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from textune.approaches._held_out import HeldOut
from textune.approaches.base import Notes
from textune.core.errors import ImpossibleError
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import metrics_of
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Thresholded(HeldOut):
    """Another approach, whose yes begins at a score that was fitted inside the training part.

    It is fitted twice: on a share of the training part, to find the threshold with the best main
    metric on the rest, then on all of it. For tasks with two labels, one of them positive.
    """

    number: ClassVar[str] = "threshold"

    def check(self, task: TaskSpec) -> None:
        """As the approach itself; and the task must have a positive label and one other."""
        if task.positive is None or len(task.labels) != 2:
            raise ImpossibleError(
                f"a threshold needs two labels, one of them positive ({task.name})",
                hint="name the positive label in the task, or leave the threshold out",
            )
        self.of.check(task)

    def label(self) -> str:
        """The approach's with what it is."""
        return f"{self.of.label()}, fitted threshold"

    def fitted_to(
        self, said: Predictions, scores_NC: np.ndarray, gold: Sequence[str], task: TaskSpec
    ) -> tuple[float, Notes]:
        """The threshold with the best main metric."""
        return best_threshold(scores_NC, gold, task), {}

    def changed(
        self, said: Predictions, scores_NC: np.ndarray, number: float, task: TaskSpec
    ) -> Predictions:
        """The scores as they are, the positive label from the threshold on."""
        above = _positive_scores(scores_NC, task) >= number
        positive, other = _names(task)
        return replace(said, answers=[positive if yes else other for yes in above])


def best_threshold(scores_NC: np.ndarray, gold: Sequence[str], task: TaskSpec) -> float:
    """The score of the positive label from which on yes is best by the task's main metric.

    It lies in the middle between two scores that occur; of equally good ones the nearest to a
    half.
    """
    scores_N = _positive_scores(scores_NC, task)
    levels = np.unique(scores_N)
    cuts_T = np.array([0.0, *(levels[:-1] + levels[1:]) / 2, np.nextafter(levels[-1], 2)])
    positive, other = _names(task)
    names = list(task.labels)
    yes, no = names.index(positive), names.index(other)
    is_yes = np.array([answer == positive for answer in gold])
    counts = np.zeros((len(cuts_T), 2, 3))
    for row, chosen in ((yes, is_yes), (no, ~is_yes)):
        ordered = np.sort(scores_N[chosen])
        below_T = np.searchsorted(ordered, cuts_T, side="left")
        counts[:, row, no], counts[:, row, yes] = below_T, len(ordered) - below_T
    values_T = metrics_of(task).value(task.primary_metric, counts.reshape(len(cuts_T), -1))
    values_T = np.nan_to_num(values_T, nan=-1.0)
    good = cuts_T[values_T == values_T.max()]
    return float(good[np.abs(good - 0.5).argmin()])


def _names(task: TaskSpec) -> tuple[str, str]:
    """The positive label and the other one."""
    positive = str(task.positive)
    return positive, next(label for label in task.labels if label != positive)


def _positive_scores(scores_NC: np.ndarray, task: TaskSpec) -> np.ndarray:
    scores_N: np.ndarray = scores_NC[:, list(task.labels).index(_names(task)[0])]
    return scores_N
