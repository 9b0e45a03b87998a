"""Metrics of one label for each example, all computed from confusion counts.

Counts have the shape (..., C, C + 1): gold label by answered label, the last column the invalid
answers (None).

Conventions, for one set of counts:

- An invalid answer is a miss for its gold label. It is no label of its own and no false positive.
- Precision of a label that was never answered and recall of a label without gold are undefined.
- F1 of a label, ``2 hits / (gold + answered)``, is undefined without gold and without answers, and
  0 where there is one but not the other. Macro F1 averages the defined ones, which is what
  scikit-learn gives without a label list or with ``zero_division=nan``.
- Micro F1 equals accuracy when every answer is valid, and lies above it otherwise.
- The Matthews coefficient takes an invalid answer as a value that is never right; it is undefined
  when all gold labels or all answers are the same.
- An undefined value is NaN in arrays and None in ``score``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from textune.data.predictions import Predictions
from textune.evaluation import probabilities
from textune.evaluation.metrics.base import Counts, Floats, Metrics, Tally, ratio


@dataclass(frozen=True, kw_only=True)
class Label(Metrics):
    """One label for each example, out of a closed set."""

    def names(self) -> list[str]:
        """Of all labels together, of each, and of the positive one."""
        names = [*_OVERALL, *(f"{part}:{label}" for part in _PER_LABEL for label in self.labels)]
        return names if self.positive is None else names + [f"positive_{x}" for x in _PER_LABEL]

    def tally(self, gold: Sequence[str], answers: Sequence[str | None]) -> Tally:
        """The cell of each example in a flattened ``confusion``."""
        assert len(gold) == len(answers), "gold and answers differ in length"
        width = len(self.labels) + 1
        cells_N = _codes(gold, self.labels) * width + _codes(answers, self.labels)
        present, codes_N = np.unique(cells_N, return_inverse=True)
        rows_UK = np.zeros((len(present), (width - 1) * width))
        rows_UK[np.arange(len(present)), present] = 1
        return Tally(rows_UK, codes_N.astype(np.int64))

    def compute(self, name: str, counts: Floats) -> Floats:
        """From flattened confusion counts."""
        size = len(self.labels)
        table = counts.reshape(*counts.shape[:-1], size, size + 1)
        if name in _OVERALL:
            return _OVERALL[name](table)
        part, _, label = name.partition(":")
        values = _PER_LABEL[part.removeprefix("positive_")](table)
        return values[..., self.labels.index(label or str(self.positive))]

    def beyond_counts(
        self, predictions: Predictions, gold: Sequence[str]
    ) -> dict[str, float | None]:
        """With a positive label ``auc`` (None without scores); with scores calibration."""
        values: dict[str, float | None] = {}
        codes = _codes(gold, self.labels)
        if self.positive is not None:
            column = self.labels.index(self.positive)
            values["auc"] = probabilities.auc(predictions.scores, codes, positive=column)
        if predictions.scores is not None:
            answered = _codes(predictions.answers, self.labels)
            values |= probabilities.calibration(predictions.scores, codes, answered)
        return values


def confusion(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Counts:
    """How often each label was answered for each gold label: (C, C + 1), last column invalid."""
    total = Label(labels=tuple(labels)).tally(gold, answers).total()
    return total.reshape(len(labels), len(labels) + 1).astype(np.int64)


def _codes(answers: Sequence[str | None], labels: Sequence[str]) -> Counts:
    code: dict[str | None, int] = {label: position for position, label in enumerate(labels)}
    code[None] = len(labels)
    return np.fromiter((code[answer] for answer in answers), np.int64, len(answers))


def _hits(counts: Floats) -> Floats:
    """(..., C): answered right."""
    return np.diagonal(counts, axis1=-2, axis2=-1)


def _gold(counts: Floats) -> Floats:
    """(..., C): examples of each label."""
    return np.asarray(counts.sum(-1))


def _answered(counts: Floats) -> Floats:
    """(..., C): answers of each label, the invalid ones left out."""
    return np.asarray(counts[..., :-1].sum(-2))


def _precision(counts: Floats) -> Floats:
    return ratio(_hits(counts), _answered(counts))


def _recall(counts: Floats) -> Floats:
    return ratio(_hits(counts), _gold(counts))


def _f1(counts: Floats) -> Floats:
    return ratio(2 * _hits(counts), _gold(counts) + _answered(counts))


def _accuracy(counts: Floats) -> Floats:
    return ratio(_hits(counts).sum(-1), counts.sum((-2, -1)))


def _macro_f1(counts: Floats) -> Floats:
    f1 = _f1(counts)
    return ratio(np.nansum(f1, axis=-1), np.sum(~np.isnan(f1), axis=-1).astype(np.float64))


def _weighted_f1(counts: Floats) -> Floats:
    """Each label weighs as often as it is gold; an undefined F1 has no gold, so no weight."""
    return ratio(np.nansum(_f1(counts) * _gold(counts), axis=-1), counts.sum((-2, -1)))


def _micro_f1(counts: Floats) -> Floats:
    return ratio(2 * _hits(counts).sum(-1), (_gold(counts) + _answered(counts)).sum(-1))


def _mcc(counts: Floats) -> Floats:
    """Gorodkin 2004, the correlation of gold and answer for any number of labels."""
    total = counts.sum((-2, -1))
    gold, answered, invalid = _gold(counts), _answered(counts), counts[..., -1].sum(-1)
    together = _hits(counts).sum(-1) * total - (gold * answered).sum(-1)
    spread_of_gold = total**2 - (gold**2).sum(-1)
    spread_of_answers = total**2 - (answered**2).sum(-1) - invalid**2
    return ratio(together, np.sqrt(spread_of_gold * spread_of_answers))


def _invalid_rate(counts: Floats) -> Floats:
    return ratio(counts[..., -1].sum(-1), counts.sum((-2, -1)))


_OVERALL: dict[str, Callable[[Floats], Floats]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "weighted_f1": _weighted_f1,
    "micro_f1": _micro_f1,
    "mcc": _mcc,
    "invalid_rate": _invalid_rate,
}
_PER_LABEL: dict[str, Callable[[Floats], Floats]] = {
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
}
