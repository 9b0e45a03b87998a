"""Metrics of numbers on a scale.

Conventions:

- An invalid answer counts as the end of the scale that is farther from the gold number.
- Correlations are undefined when all gold numbers or all answers are the same.
- Spearman's is Pearson's of the ranks, ties with their mean rank, over all examples at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import Floats, Metrics, Tally, ratio

COUNTED = ("examples", "invalid", "x", "y", "xx", "yy", "xy", "absolute")
"""What is summed: x is gold, y the answer, absolute their distance."""


@dataclass(frozen=True, kw_only=True)
class Grades(Metrics):
    """One number for each example; the task's labels are the whole numbers of the scale."""

    def names(self) -> list[str]:
        """Those that sums over examples decide."""
        return ["pearson", "mean_error", "root_mean_square_error", "invalid_rate"]

    def tally(self, gold: Sequence[str], answers: Sequence[str | None]) -> Tally:
        """For each example what ``COUNTED`` names."""
        x_N, y_N = self._numbers(gold, answers)
        invalid_N = np.array([answer is None for answer in answers], dtype=np.float64)
        ones_N = np.ones(len(gold))
        columns = [ones_N, invalid_N, x_N, y_N, x_N**2, y_N**2, x_N * y_N, np.abs(x_N - y_N)]
        rows_UK, codes_N = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        return Tally(rows_UK, codes_N.reshape(-1).astype(np.int64))

    def compute(self, name: str, counts: Floats) -> Floats:
        """From the sums of those."""
        n, invalid, x, y, xx, yy, xy, absolute = np.moveaxis(counts, -1, 0)
        if name == "invalid_rate":
            return ratio(invalid, n)
        if name == "mean_error":
            return ratio(absolute, n)
        if name == "root_mean_square_error":
            return np.sqrt(np.maximum(0.0, ratio(xx + yy - 2 * xy, n)))
        spread = (n * xx - x**2) * (n * yy - y**2)
        spread = np.where(spread > 1e-9 * n**4, spread, 0.0)  # equal numbers leave rounding errors
        return ratio(n * xy - x * y, np.sqrt(spread))

    def beyond_counts(
        self, predictions: Predictions, gold: Sequence[str]
    ) -> dict[str, float | None]:
        """``spearman``."""
        from scipy.stats import rankdata

        x_N, y_N = (rankdata(values) for values in self._numbers(gold, predictions.answers))
        if len(set(x_N)) < 2 or len(set(y_N)) < 2:
            return {"spearman": None}
        return {"spearman": float(np.corrcoef(x_N, y_N)[0, 1])}

    def _numbers(
        self, gold: Sequence[str], answers: Sequence[str | None]
    ) -> tuple[Floats, Floats]:
        low, high = float(self.labels[0]), float(self.labels[-1])
        x_N = np.array([float(value) for value in gold], dtype=np.float64)
        worst_N = np.where(x_N - low > high - x_N, low, high)
        pairs = zip(answers, worst_N, strict=True)
        y_N = np.array([w if a is None else float(a) for a, w in pairs], dtype=np.float64)
        return x_N, y_N
