"""Metrics of answers against gold labels, all computed from confusion counts.

Counts have the shape (..., C, C + 1): gold label by answered label, the last column the invalid
answers (None). A whole axis of resamples may stand in front, so a bootstrap costs one call.

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

What is not covered: spans, and metrics of graded answers.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from textune.core.errors import ConfigError, did_you_mean
from textune.data.predictions import Predictions
from textune.evaluation import probabilities

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LOWER_IS_BETTER = frozenset({"invalid_rate", "ece", "brier", "log_loss"})
"""Metrics of which less is better; of all others more is."""


def higher_is_better(name: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return name not in LOWER_IS_BETTER


def score(
    predictions: Predictions, gold: Sequence[str], labels: Sequence[str], *, positive: str | None
) -> dict[str, float | None]:
    """Metric name -> value on N examples; None where a value is undefined.

    Always the metrics of ``count_metrics``; with a positive label also ``auc`` (None without
    scores); with scores also ``ece``, ``brier`` and ``log_loss``.
    """
    counts = confusion(gold, predictions.answers, labels)
    values: dict[str, float | None] = {}
    for name in count_metrics(labels, positive):
        value = float(metric_value(name, counts, labels, positive=positive))
        values[name] = None if np.isnan(value) else value
    codes = _codes(gold, labels)
    if positive is not None:
        column = labels.index(positive)
        values["auc"] = probabilities.auc(predictions.scores, codes, positive=column)
    if predictions.scores is not None:
        values |= probabilities.calibration(predictions.scores, codes)
    return values


def confusion(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Counts:
    """How often each label was answered for each gold label: (C, C + 1), last column invalid."""
    num_labels = len(labels)
    flat = np.bincount(cells(gold, answers, labels), minlength=num_labels * (num_labels + 1))
    return flat.reshape(num_labels, num_labels + 1).astype(np.int64)


def cells(gold: Sequence[str], answers: Sequence[str | None], labels: Sequence[str]) -> Counts:
    """For each of N examples the position of its cell in a flattened ``confusion``: (N,)."""
    assert len(gold) == len(answers), "gold and answers differ in length"
    return _codes(gold, labels) * (len(labels) + 1) + _codes(answers, labels)


def count_metrics(labels: Sequence[str], positive: str | None) -> list[str]:
    """Names of the metrics that ``metric_value`` knows for these labels."""
    names = [*_OVERALL, *(f"{part}:{label}" for part in _PER_LABEL for label in labels)]
    return names if positive is None else names + [f"positive_{part}" for part in _PER_LABEL]


def metric_value(
    name: str, counts: npt.ArrayLike, labels: Sequence[str], *, positive: str | None = None
) -> Floats:
    """One metric of counts (..., C, C + 1) as an array of shape (...), NaN where undefined.

    Raises:
        ConfigError: the metric is unknown, or it cannot be computed from counts.
    """
    known = count_metrics(labels, positive)
    if name not in known:
        raise ConfigError(f"no metric {name!r} of answers", hint=did_you_mean(name, known))
    table = np.asarray(counts, dtype=np.float64)
    if name in _OVERALL:
        return _OVERALL[name](table)
    part, _, label = name.partition(":")
    return _PER_LABEL[part.removeprefix("positive_")](table)[..., labels.index(label or positive)]


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


def _ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _precision(counts: Floats) -> Floats:
    return _ratio(_hits(counts), _answered(counts))


def _recall(counts: Floats) -> Floats:
    return _ratio(_hits(counts), _gold(counts))


def _f1(counts: Floats) -> Floats:
    return _ratio(2 * _hits(counts), _gold(counts) + _answered(counts))


def _accuracy(counts: Floats) -> Floats:
    return _ratio(_hits(counts).sum(-1), counts.sum((-2, -1)))


def _macro_f1(counts: Floats) -> Floats:
    f1 = _f1(counts)
    return _ratio(np.nansum(f1, axis=-1), np.sum(~np.isnan(f1), axis=-1).astype(np.float64))


def _weighted_f1(counts: Floats) -> Floats:
    """Each label weighs as often as it is gold; an undefined F1 has no gold, so no weight."""
    return _ratio(np.nansum(_f1(counts) * _gold(counts), axis=-1), counts.sum((-2, -1)))


def _micro_f1(counts: Floats) -> Floats:
    return _ratio(2 * _hits(counts).sum(-1), (_gold(counts) + _answered(counts)).sum(-1))


def _mcc(counts: Floats) -> Floats:
    """Gorodkin 2004, the correlation of gold and answer for any number of labels."""
    total = counts.sum((-2, -1))
    gold, answered, invalid = _gold(counts), _answered(counts), counts[..., -1].sum(-1)
    together = _hits(counts).sum(-1) * total - (gold * answered).sum(-1)
    spread_of_gold = total**2 - (gold**2).sum(-1)
    spread_of_answers = total**2 - (answered**2).sum(-1) - invalid**2
    return _ratio(together, np.sqrt(spread_of_gold * spread_of_answers))


def _invalid_rate(counts: Floats) -> Floats:
    return _ratio(counts[..., -1].sum(-1), counts.sum((-2, -1)))


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
