"""Another approach, whose scores are tempered so that they can be read as chances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from textune.approaches._held_out import HeldOut
from textune.approaches.base import Notes
from textune.data.predictions import Predictions
from textune.evaluation.probabilities import LEAST, Codes, Floats, calibration
from textune.tasks.base import TaskSpec

RANGE = (0.1, 10.0)
"""Temperatures that are considered: a share in which everything is right would ask for none."""


@dataclass(frozen=True, kw_only=True)
class Calibrated(HeldOut):
    """Another approach with temperature scaling (Guo et al., 2017, section 4.2).

    Log scores are divided by one temperature and normalised again: above 1 it makes an approach
    less sure, below 1 surer. Answers stay as they are. The approach is fitted twice: on a share of
    the training part, to find the temperature with the lowest log loss on the rest, then on all of
    it.
    """

    kinds: ClassVar[frozenset[str]] = frozenset({"classify", "pair", "grade"})
    number: ClassVar[str] = "temperature"

    def check(self, task: TaskSpec) -> None:
        """Labels must exclude each other; and as the approach itself."""
        super().check(task)
        self.of.check(task)

    def label(self) -> str:
        """The approach's with what it is."""
        return f"{self.of.label()}, calibrated"

    def fitted_to(
        self, said: Predictions, scores_NC: np.ndarray, gold: Sequence[str], task: TaskSpec
    ) -> tuple[float, Notes]:
        """The temperature with the lowest log loss; calibration errors before and after."""
        codes = {label: place for place, label in enumerate(task.labels)}
        gold_N = np.array([codes[task.kind.label_of(answer)] for answer in gold])
        answered_N = np.array(
            [len(codes) if a is None else codes[task.kind.label_of(a)] for a in said.answers]
        )
        temperature = best_temperature(scores_NC, gold_N)
        before, after = (
            calibration(each, gold_N, answered_N)["ece"]
            for each in (scores_NC, tempered(scores_NC, temperature))
        )
        return temperature, {"ece_before": before, "ece_after": after}

    def changed(
        self, said: Predictions, scores_NC: np.ndarray, number: float, task: TaskSpec
    ) -> Predictions:
        """The answers as they are, the scores tempered."""
        return replace(said, scores=tempered(scores_NC, number))


def tempered(scores_NC: Floats, temperature: float) -> Floats:
    """``softmax(log(scores) / temperature)``."""
    from scipy.special import softmax

    return np.asarray(softmax(_logits(scores_NC) / temperature, axis=1))


def best_temperature(scores_NC: Floats, gold_N: Codes) -> float:
    """The temperature with the lowest log loss of the gold columns; 1 if none in range is better.

    The loss is convex in the inverse temperature, so it has one minimum in the range.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits_NC, rows_N = _logits(scores_NC), np.arange(len(gold_N))

    def loss(log_temperature: float) -> float:
        logs_NC = log_softmax(logits_NC / np.exp(log_temperature), axis=1)
        return float(-logs_NC[rows_N, gold_N].mean())

    found = minimize_scalar(loss, bounds=tuple(np.log(RANGE)), method="bounded")
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def _logits(scores_NC: Floats) -> Floats:
    """Log scores; one of zero counts as the least that a log loss knows."""
    return np.asarray(np.log(np.clip(np.asarray(scores_NC, dtype=np.float64), LEAST, 1)))
