"""Metrics: how answers of one form are judged against gold; the folder is the registry.

An answer is text in records: a label, or whatever a kind writes an answer as. Metrics of a form
read it, count what was right and wrong in every example, and compute values from sums of counts.
So a whole axis of resamples may stand in front, and a bootstrap needs no example twice.

Legend: N examples, K counts of an example, U different rows of counts.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textune.core.errors import ConfigError, did_you_mean
from textune.core.registry import Plugin, Registry
from textune.data.predictions import Predictions
from textune.evaluation.probabilities import OF_SCORES
from textune.tasks.base import TaskSpec

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ORDER_DISAGREEMENT = "order_disagreement"
"""Share of examples whose answer changes when their texts, whose order means nothing, change
places; measured where an approach is run, as it needs predictions of its own."""
LOWER_IS_BETTER = frozenset(
    {ORDER_DISAGREEMENT, "invalid_rate", "mean_error", "root_mean_square_error", *OF_SCORES}
)
"""Metrics of which less is better; of all others more is."""


def higher_is_better(name: str) -> bool:
    """Whether a larger value of the metric is the better one."""
    return name not in LOWER_IS_BETTER


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of N examples, each of them one of U rows."""

    rows_UK: Floats
    codes_N: Counts
    """The row of each example."""

    def total(self) -> Floats:
        """Sums over the examples: (K,)."""
        times_U = np.bincount(self.codes_N, minlength=len(self.rows_UK))
        total: Floats = times_U @ self.rows_UK
        return total


@dataclass(frozen=True, kw_only=True)
class Metrics(Plugin, ABC):
    """How answers of one form are judged."""

    labels: tuple[str, ...]
    """The task's labels, in order."""
    positive: str | None = None
    """The label that positive precision, recall and F1 are about."""

    @abstractmethod
    def names(self) -> list[str]:
        """The metrics that are computed from counts."""

    @abstractmethod
    def tally(self, gold: Sequence[str], answers: Sequence[str | None]) -> Tally:
        """What is counted in N examples; None is an answer that could not be read."""

    @abstractmethod
    def compute(self, name: str, counts: Floats) -> Floats:
        """A metric of ``names`` from counts (..., K): (...), NaN where undefined."""

    def value(self, name: str, counts: npt.ArrayLike) -> Floats:
        """As ``compute``.

        Raises:
            ConfigError: the metric is unknown, or it cannot be computed from counts.
        """
        if name not in self.names():
            hint = did_you_mean(name, self.names())
            raise ConfigError(f"no metric {name!r} of answers", hint=hint)
        return self.compute(name, np.asarray(counts, dtype=np.float64))

    @abstractmethod
    def beyond_counts(
        self, predictions: Predictions, gold: Sequence[str]
    ) -> dict[str, float | None]:
        """Metrics that need scores, or all examples at once; None where undefined."""

    def score(self, predictions: Predictions, gold: Sequence[str]) -> dict[str, float | None]:
        """Metric name -> value on N examples; None where a value is undefined."""
        total = self.tally(gold, predictions.answers).total()
        values: dict[str, float | None] = {}
        for name in self.names():
            value = float(self.compute(name, total))
            values[name] = None if np.isnan(value) else value
        return values | self.beyond_counts(predictions, gold)


REGISTRY = Registry("textune.evaluation.metrics", Metrics, noun="metrics")


def metrics_of(task: TaskSpec) -> Metrics:
    """How answers of a task are judged."""
    cls = REGISTRY.get(task.kind.metrics)
    return cls(labels=tuple(task.labels), positive=task.positive)


def part_of(part: str, gold: Floats, found: Floats, right: Floats) -> Floats:
    """Precision, recall or F1 from counts of what is gold, what was found, and what is both."""
    if part == "precision":
        return ratio(right, found)
    if part == "recall":
        return ratio(right, gold)
    return ratio(2 * right, gold + found)


def ratio(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
