"""Metrics of several labels for each example, from counts of gold, answered and right ones.

Conventions:

- ``micro_*`` count all labels together, ``macro_f1`` is the mean over labels whose F1 is defined,
  ``weighted_f1`` weighs each label as often as it is gold.
- ``exact_match`` is the share of examples whose labels are all right and no more.
- An invalid answer names no label. Precision without any answered label, recall without gold, and
  F1 without either are undefined.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textune.data.label_sets import read_labels
from textune.data.predictions import Predictions
from textune.evaluation import probabilities
from textune.evaluation.metrics.base import Floats, Metrics, Tally, part_of, ratio

PARTS = ("precision", "recall", "f1")
SHARED = ("examples", "invalid", "exact")
"""Counts that are not of one label; behind them gold, answered and right of each."""


@dataclass(frozen=True, kw_only=True)
class LabelSets(Metrics):
    """Any number of labels for each example."""

    def names(self) -> list[str]:
        """Of all labels together, and of each."""
        alone = [f"{part}:{label}" for part in PARTS for label in self.labels]
        together = [f"micro_{part}" for part in PARTS]
        return [*together, "macro_f1", "weighted_f1", "exact_match", "invalid_rate", *alone]

    def tally(self, gold: Sequence[str], answers: Sequence[str | None]) -> Tally:
        """For each example ``SHARED``, then gold, answered and right (0 or 1) of each label."""
        rows_NK = np.array(
            [self._row(g, a) for g, a in zip(gold, answers, strict=True)], dtype=np.float64
        ).reshape(len(gold), len(SHARED) + 3 * len(self.labels))
        rows_UK, codes_N = np.unique(rows_NK, axis=0, return_inverse=True)
        return Tally(rows_UK, codes_N.reshape(-1).astype(np.int64))

    def compute(self, name: str, counts: Floats) -> Floats:
        """From the sums of those counts."""
        shared = {what: counts[..., at] for at, what in enumerate(SHARED)}
        of_label = counts[..., len(SHARED) :].reshape(*counts.shape[:-1], -1, 3)
        gold_C, answered_C, right_C = (of_label[..., at] for at in range(3))
        if name in ("exact_match", "invalid_rate"):
            return ratio(shared[name.split("_")[0]], shared["examples"])
        if name in ("macro_f1", "weighted_f1"):
            f1_C = part_of("f1", gold_C, answered_C, right_C)
            if name == "weighted_f1":
                return ratio(np.nansum(f1_C * gold_C, axis=-1), gold_C.sum(-1))
            return ratio(np.nansum(f1_C, axis=-1), np.sum(~np.isnan(f1_C), -1).astype(np.float64))
        part, _, label = name.partition(":")
        if label:
            at = self.labels.index(label)
            return part_of(part, gold_C[..., at], answered_C[..., at], right_C[..., at])
        part = name.removeprefix("micro_")
        return part_of(part, gold_C.sum(-1), answered_C.sum(-1), right_C.sum(-1))

    def beyond_counts(
        self, predictions: Predictions, gold: Sequence[str]
    ) -> dict[str, float | None]:
        """With scores calibration, each label a question of its own."""
        if predictions.scores is None:
            return {}
        sets = [set(read_labels(answer)) for answer in gold]
        truth_NC = np.array([[x in labels for x in self.labels] for labels in sets], dtype=bool)
        return probabilities.calibration_of_sets(predictions.scores, truth_NC)

    def _row(self, gold: str, answer: str | None) -> list[float]:
        true = set(read_labels(gold))
        said = set(read_labels(answer)) if answer is not None else set()
        each = [(x in true, x in said, x in true & said) for x in self.labels]
        flags = [True, answer is None, answer == gold, *(flag for three in each for flag in three)]
        return [float(flag) for flag in flags]
