"""How far a score may be off: over folds and seeds (t), over examples (bootstrap)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textune.evaluation.metrics.base import Metrics
from textune.evaluation.resampling import RESAMPLES, resampled_values


@dataclass(frozen=True)
class Interval:
    """An estimate and its bounds; None where it is undefined or cannot be told."""

    mean: float | None
    low: float | None
    high: float | None


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean of fold or seed scores with Student's interval; no bounds below two values.

    ``mean +- t(n - 1) * deviation / sqrt(n)``. The training parts of folds overlap, so scores of
    folds are not independent and the interval is somewhat too narrow; it is what papers print.
    """
    if not values:
        return Interval(None, None, None)
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, None, None)
    from scipy.stats import t

    quantile = float(t.ppf((1 + level) / 2, len(values) - 1))
    half = quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def bootstrap_interval(
    name: str,
    metrics: Metrics,
    gold: Sequence[str],
    answers: Sequence[str | None],
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """A metric on N examples with its percentile bootstrap interval over examples.

    ``mean`` is the metric on the examples as they are. Resamples where the metric is undefined
    are left out.

    Raises:
        ConfigError: the metric cannot be computed from counts.
    """
    tally = metrics.tally(gold, answers)
    value = float(metrics.value(name, tally.total()))
    if math.isnan(value):
        return Interval(None, None, None)
    (values_R,) = resampled_values(name, metrics, [tally], resamples=resamples, seed=seed)
    low, high = np.nanquantile(values_R, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))
