"""The bootstrap over examples of a metric that is averaged over seeds.

An approach that was trained with several seeds answered the same N examples several times. Its
metric on a resample is the mean of the metric of each seed on that resample, so more seeds make
the estimate steadier without making N look larger than it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textune.evaluation.intervals import Interval
from textune.evaluation.metrics.base import Floats, Metrics
from textune.evaluation.resampling import RESAMPLES, resampled_values
from textune.evaluation.significance import Test, bootstrap_test


@dataclass(frozen=True, eq=False)
class Resampled:
    """A metric of one approach on the N examples as they are, and on R resamples of them."""

    observed: float
    """NaN where undefined."""
    values_R: Floats
    """NaN where undefined on a resample."""

    def interval(self, level: float = 0.95) -> Interval:
        """The percentile interval; resamples where the metric is undefined are left out."""
        if np.isnan(self.observed):
            return Interval(None, None, None)
        low, high = np.nanquantile(self.values_R, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.observed, float(low), float(high))

    def test_against(self, other: "Resampled") -> Test:
        """As ``significance.paired_bootstrap``, this minus the other, from the draws at hand."""
        return bootstrap_test(self.observed - other.observed, self.values_R - other.values_R)


def resample(
    name: str,
    metrics: Metrics,
    gold: Sequence[str],
    answers: Sequence[Sequence[Sequence[str | None]]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Resampled]:
    """The metric of every approach on the same resamples of N examples.

    ``answers`` holds for each approach, for each of its seeds, N answers.

    Raises:
        ConfigError: the metric cannot be computed from counts.
    """
    tallies = [metrics.tally(gold, run) for of_approach in answers for run in of_approach]
    observed_P = metrics.value(name, np.stack([tally.total() for tally in tallies]))
    values_PR = resampled_values(name, metrics, tallies, resamples=resamples, seed=seed)
    ends = np.cumsum([len(of_approach) for of_approach in answers])
    return [
        Resampled(float(observed_P[start:end].mean()), values_PR[start:end].mean(0))
        for start, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
