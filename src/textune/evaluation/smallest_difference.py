"""How small a difference of the main score a test part can show, before anything is run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textune.core import seeds
from textune.data.examples import Answer
from textune.evaluation.metrics.base import Floats, metrics_of
from textune.tasks.base import TaskSpec

DRAWS = 4000
"""Test parts that are drawn."""
POWER = 0.8
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class SmallestDifference:
    """A true difference of two approaches that is found with the given power."""

    metric: str
    """The metric that ranks approaches."""
    difference: float
    """Of the metric, 0 to 1; 1 where nothing would be found."""
    num_tested: int
    """Tested examples."""
    assumption: str
    """What both approaches are taken to do, in a clause."""
    power: float = POWER
    """How often the difference is found."""

    @property
    def metric_name(self) -> str:
        """The metric for people: ``macro F1``."""
        if self.metric == "pearson":
            return "Pearson's correlation"
        return self.metric.replace("_f1", " F1").replace("_", " ")


def smallest_difference(
    task: TaskSpec, gold: Sequence[Answer], *, assumed: float = 0.8
) -> SmallestDifference:
    """Two-sided, at the level 0.05, as a paired test of the main score sees it.

    It is the standard deviation of the difference of two approaches' scores over test parts, times
    ``z(0.975) + z(0.8)``. Their errors are independent; those of real approaches mostly coincide,
    so smaller differences show.

    - Labels: both are right on the share ``assumed`` of the rarest label and confuse two labels as
      often in one direction as in the other, in proportion to how often both occur. Even labels
      are all right on that share, frequent ones on more.
    - Entities and sets of labels: each is found or missed, and as many wrong ones are found as
      are missed; all of them count together.
    - Numbers: both have the correlation ``assumed`` with gold, all are normal.
    """
    from scipy.stats import norm

    generator = seeds.generator(0, "smallest difference")
    if task.kind.is_graded:
        spread = _spread_of_correlations(len(gold), assumed)
        assumption = f"reach a correlation of {assumed:g}"
    else:
        several = {"entities": "entities", "labels": "all labels"}.get(task.kind.answer_form)
        draw = _several_scores if several else _label_scores
        a, b = (draw(task, gold, assumed, generator) for _ in range(2))
        spread = float(np.nanstd(a - b)) if np.isfinite(a - b).any() else 1.0
        assumption = f"are right on {100 * assumed:.0f} % of {several or 'the rarest label'}"
    return SmallestDifference(
        metric=task.primary_metric,
        difference=min(1.0, float(norm.isf(ALPHA / 2) + norm.ppf(POWER)) * spread),
        num_tested=len(gold),
        assumption=assumption,
    )


def _spread_of_correlations(size: int, correlation: float) -> float:
    """Standard deviation of r_12 - r_13 (Olkin and Siotani 1976), where r_23 = r_12 r_13."""
    square = correlation**2
    return float((1 - square) * np.sqrt((2 - square) / size))


def _label_scores(
    task: TaskSpec, gold: Sequence[Answer], assumed: float, generator: np.random.Generator
) -> Floats:
    """Main scores on drawn test parts: (draws,)."""
    frequency = Counter(gold)
    counts_C = np.array([frequency[label] for label in task.labels])
    others = len(gold) - min(count for count in frequency.values())
    wrong_CC = (1 - assumed) * np.tile(counts_C, (len(counts_C), 1)) / max(1, others)
    np.fill_diagonal(wrong_CC, 0)
    confusion = np.zeros((DRAWS, len(counts_C), len(counts_C) + 1))
    for place, count in enumerate(counts_C.tolist()):
        shares_C = wrong_CC[place]
        shares_C[place] = 1 - shares_C.sum()
        confusion[:, place, :-1] = generator.multinomial(count, shares_C, size=DRAWS)
    return metrics_of(task).value(task.primary_metric, confusion.reshape(DRAWS, -1))


def _several_scores(
    task: TaskSpec, gold: Sequence[Answer], assumed: float, generator: np.random.Generator
) -> Floats:
    """F1 over all entities or labels on drawn test parts: (draws,)."""
    num_gold = sum(len(task.kind.labels_in(answer)) for answer in gold)
    right = generator.binomial(num_gold, assumed, size=DRAWS)
    wrong = generator.binomial(num_gold, 1 - assumed, size=DRAWS)
    scores: Floats = 2 * right / np.maximum(1, num_gold + right + wrong)
    return scores
