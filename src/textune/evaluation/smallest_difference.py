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
    assumed: float
    """Share of gold answers (of gold entities) that both approaches get right."""
    power: float = POWER
    """How often the difference is found."""


def smallest_difference(
    task: TaskSpec, gold: Sequence[Answer], *, assumed: float = 0.8
) -> SmallestDifference:
    """Two-sided, at the level 0.05, as a paired test of the main score sees it.

    Both approaches get every label right with the same chance, independently of each other, and
    err towards other labels as often as these occur. The standard deviation of the difference of
    their scores over test parts, times ``z(0.975) + z(0.8)``, is the smallest difference. Errors
    of real approaches mostly coincide, so smaller differences show. Entities are found or missed
    one by one, and as many wrong ones are found as are missed.
    """
    from scipy.stats import norm

    generator = seeds.generator(0, "smallest difference")
    draw = _entity_scores if task.kind.has_entities else _label_scores
    a, b = (draw(task, gold, assumed, generator) for _ in range(2))
    spread = float(np.nanstd(a - b)) if np.isfinite(a - b).any() else 1.0
    difference = min(1.0, float(norm.isf(ALPHA / 2) + norm.ppf(POWER)) * spread)
    return SmallestDifference(
        metric=task.primary_metric,
        difference=difference,
        num_tested=len(gold),
        assumed=assumed,
    )


def _label_scores(
    task: TaskSpec, gold: Sequence[Answer], assumed: float, generator: np.random.Generator
) -> Floats:
    """Main scores on drawn test parts: (draws,)."""
    labels = list(task.labels)
    counts = Counter(gold)
    confusion = np.zeros((DRAWS, len(labels), len(labels) + 1))
    for place, label in enumerate(labels):
        others = np.array([counts[other] * (other != label) for other in labels], dtype=float)
        if not others.any():
            others = np.array([float(other != label) for other in labels])
        shares = (1 - assumed) * others / others.sum()
        shares[place] = assumed
        confusion[:, place, :-1] = generator.multinomial(counts[label], shares, size=DRAWS)
    return metrics_of(task).value(task.primary_metric, confusion.reshape(DRAWS, -1))


def _entity_scores(
    task: TaskSpec, gold: Sequence[Answer], assumed: float, generator: np.random.Generator
) -> Floats:
    """F1 over all entities on drawn test parts: (draws,)."""
    num_gold = sum(len(task.kind.labels_in(answer)) for answer in gold)
    right = generator.binomial(num_gold, assumed, size=DRAWS)
    wrong = generator.binomial(num_gold, 1 - assumed, size=DRAWS)
    scores: Floats = 2 * right / np.maximum(1, num_gold + right + wrong)
    return scores
