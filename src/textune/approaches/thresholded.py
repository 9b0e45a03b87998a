"""Another approach, whose yes begins at a score that was fitted inside the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from textune.approaches.base import REGISTRY, Approach, Context, Family, Parts, Predictor
from textune.core.artifacts import read_json, write_json
from textune.core.config import PluginOf
from textune.core.errors import ConfigError, DataError, ImpossibleError, StoreError
from textune.core.seeds import derive
from textune.data.examples import Example
from textune.data.folds import held_out
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import metrics_of
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    from textune.cost.demand import Demand
    from textune.methods.base import Method
    from textune.models.architecture import Drafts


@dataclass(frozen=True, kw_only=True)
class Thresholded(Approach):
    """Another approach, whose yes begins at a score that was fitted inside the training part.

    It is fitted twice: on a share of the training part, to find the threshold with the best main
    metric on the rest, then on all of it. For tasks with two labels, one of them positive.
    """

    family: ClassVar[Family] = "wrapper"
    reads_prompt: ClassVar[bool] = True

    of: Annotated[Approach, PluginOf(REGISTRY)]
    """The approach; it must give scores."""
    valid_fraction: float = 0.2
    """Share of the training part on which the threshold is fitted."""

    def __post_init__(self) -> None:
        if not 0 < self.valid_fraction < 1:
            hint = "it is a share above 0 and below 1, for example 0.2"
            raise ConfigError(f"valid_fraction cannot be {self.valid_fraction}", hint=hint)

    @property
    def belongs_to(self) -> Family:
        """That of the approach."""
        return self.of.belongs_to

    def check(self, task: TaskSpec) -> None:
        """As the approach itself; and the task must have a positive label and one other."""
        if task.positive is None or len(task.labels) != 2:
            raise ImpossibleError(
                f"a threshold needs two labels, one of them positive ({task.name})",
                hint="name the positive label in the task, or leave the threshold out",
            )
        self.of.check(task)

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Fit on a share, find the threshold on the rest, fit on everything."""
        state = derive(seed, "threshold")
        inner, held = held_out(train, task.labels_of(train), self.valid_fraction, state)
        first = self.of.fit(task, inner, valid, seed=seed, context=context.within("held-out"))
        try:
            threshold = best_threshold(first.predict(held), [str(e.answer) for e in held], task)
        finally:
            first.close()
        context.kept()
        last = self.of.fit(task, train, valid, seed=seed, context=context.within("whole"))
        predictor = ThresholdedPredictor(last, task, threshold, num_held=len(held))
        predictor.settled = last.settled and replace(self, of=last.settled)
        return predictor

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From ``threshold.json`` and the folder ``of``."""
        path = folder / "threshold.json"
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("threshold"), float):
            raise StoreError(f"damaged {path}", hint="fit it again, or take it from a copy")
        inside = self.of.load(task, folder / "of", context=context)
        return ThresholdedPredictor(inside, task, content["threshold"], content.get("held", 0))

    def resolved(self) -> Thresholded:
        """With the approach resolved."""
        return replace(self, of=self.of.resolved())

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand | None:
        """That of both fits."""
        cut = len(parts.train) - round(self.valid_fraction * len(parts.train))
        inner = Parts(parts.train[:cut], parts.valid, parts.train[cut:])
        whole = self.of.forecast(task, parts, drafts)
        first = self.of.forecast(task, inner, drafts)
        return None if whole is None or first is None else whole.after(first, times=1)

    def label(self) -> str:
        """The approach's with what it is."""
        return f"{self.of.label()}, fitted threshold"

    def min_train(self, task: TaskSpec) -> int:
        """So many that enough are left when some are held out."""
        return 1 + round(max(self.of.min_train(task), 2) / (1 - self.valid_fraction))

    @property
    def base(self) -> str | None:
        """That of the approach."""
        return self.of.base

    @property
    def tuning(self) -> Method | None:
        """That of the approach."""
        return self.of.tuning

    @property
    def identity(self) -> str:
        """That of the approach."""
        return f"{self.of.revision} {self.of.identity}"


class ThresholdedPredictor(Predictor):
    """A predictor and its threshold."""

    def __init__(self, inside: Predictor, task: TaskSpec, threshold: float, num_held: int) -> None:
        self.inside = inside
        self.task = task
        self.threshold = threshold
        self.num_held = num_held
        self.notes = {**inside.notes, "threshold": threshold, "threshold_held": num_held}
        self.trials = inside.trials
        self.total_params = inside.total_params
        self.trainable_params = inside.trainable_params

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The scores as they are, the positive label from the threshold on."""
        said = self.inside.predict(examples)
        if not examples:
            return said
        above = _positive_scores(said, self.task) >= self.threshold
        positive, other = _names(self.task)
        return replace(said, answers=[positive if yes else other for yes in above])

    def save(self, folder: Path) -> None:
        """``threshold.json``, and what the predictor saves in ``of``."""
        write_json(folder / "threshold.json", {"threshold": self.threshold, "held": self.num_held})
        (folder / "of").mkdir()
        self.inside.save(folder / "of")

    def num_cut(self, examples: Sequence[Example]) -> int:
        """As the predictor."""
        return self.inside.num_cut(examples)

    def close(self) -> None:
        """Give back what the predictor borrowed."""
        self.inside.close()


def best_threshold(said: Predictions, gold: Sequence[str], task: TaskSpec) -> float:
    """The score of the positive label from which on yes is best by the task's main metric.

    It lies in the middle between two scores that occur; of equally good ones the nearest to a
    half.
    """
    scores_N = _positive_scores(said, task)
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


def _positive_scores(said: Predictions, task: TaskSpec) -> np.ndarray:
    if said.scores is None:
        raise DataError("a threshold needs scores, and there are none", hint="leave it out")
    scores_N: np.ndarray = said.scores[:, list(task.labels).index(_names(task)[0])]
    return scores_N
