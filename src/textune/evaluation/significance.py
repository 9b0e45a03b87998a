"""Is one approach better than another, or could chance have done it?

A test that cannot say anything (too few values, no spread to judge by) has the P value None: it
never counts as evidence of a difference.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textune.evaluation.metrics.base import Floats, Metrics
from textune.evaluation.resampling import RESAMPLES, resampled_values

EXACT_BELOW = 25
"""Fewer discordant pairs than this take McNemar's exact test."""


@dataclass(frozen=True)
class Test:
    """The outcome of a two-sided test."""

    __test__ = False  # pytest takes every class of this name for a suite

    statistic: float | None
    p_value: float | None
    name: str


def corrected_t_test(differences: Sequence[float], *, train_size: int, test_size: int) -> Test:
    """Corrected resampled t-test (Nadeau and Bengio 2003) on score differences of n splits.

    ``t = mean / sqrt((1 / n + test_size / train_size) * variance)`` with n - 1 degrees of freedom:
    the second term stands for the dependence that overlapping training parts bring in.

    Without spread the variance is not known to be zero, it was not observed: differences that are
    all zero have P = 1, others that are all equal have no P value, nor has a single one.
    """
    name = "corrected resampled t-test"
    if len(differences) < 2:
        return Test(None, None, name)
    mean, deviation = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if deviation <= 1e-12 * max(map(abs, differences)):
        return Test(0.0, 1.0, name) if mean == 0 else Test(None, None, name)
    from scipy.stats import t

    factor = 1 / len(differences) + test_size / train_size
    statistic = mean / (deviation * math.sqrt(factor))
    return Test(statistic, 2 * float(t.sf(abs(statistic), len(differences) - 1)), name)


def mcnemar(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> Test:
    """McNemar's test on which of two approaches is right where only one is.

    ``a`` and ``b`` (N,) say which examples each of them answers right.
    Exact (binomial) below ``EXACT_BELOW`` discordant pairs, with the smaller of the two counts as
    its statistic; else chi-squared with Edwards' continuity correction.
    """
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    is_exact = only_a + only_b < EXACT_BELOW
    name = "McNemar, exact" if is_exact else "McNemar, continuity corrected"
    if only_a + only_b == 0:
        return Test(0.0, 1.0, name)
    from statsmodels.stats import contingency_tables

    table = [[0, only_a], [only_b, 0]]
    result = contingency_tables.mcnemar(table, exact=is_exact, correction=True)
    return Test(float(result.statistic), float(result.pvalue), name)


def paired_bootstrap(
    name: str,
    metrics: Metrics,
    gold: Sequence[str],
    a: Sequence[str | None],
    b: Sequence[str | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Test:
    """``bootstrap_test`` of a metric, a minus b, on examples resampled for both at once.

    Resamples where the metric is undefined for one of them are left out.

    Raises:
        ConfigError: the metric cannot be computed from counts.
    """
    if not gold:
        return Test(None, None, "paired bootstrap")
    tallies = [metrics.tally(gold, answers) for answers in (a, b)]
    observed_a, observed_b = (float(metrics.value(name, tally.total())) for tally in tallies)
    values_a, values_b = resampled_values(name, metrics, tallies, resamples=resamples, seed=seed)
    return bootstrap_test(observed_a - observed_b, values_a - values_b)


def bootstrap_test(observed: float, resampled: Floats) -> Test:
    """Two-sided test that a difference is not zero, from its values on R resamples.

    Under the null hypothesis a difference ``d`` would spread around zero as its resamples ``d*``
    spread around ``d`` (Efron and Tibshirani 1993, chapter 16), so
    ``P = (1 + #{|d* - d| >= |d|}) / (R + 1)``; the added one keeps P above zero. NaN, a resample
    where the difference is undefined, is left out; a NaN difference has no P value.
    """
    name = "paired bootstrap"
    if math.isnan(observed):
        return Test(None, None, name)
    defined = resampled[~np.isnan(resampled)]
    # The margin lets differences that are equal but for rounding count as equal.
    num_as_far = int(np.sum(np.abs(defined - observed) >= abs(observed) - 1e-12))
    return Test(observed, (1 + num_as_far) / (1 + len(defined)), name)


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P values adjusted by Holm's step-down method; None stays None and is not counted."""
    known = [p for p in p_values if p is not None]
    if not known:
        return list(p_values)
    from statsmodels.stats.multitest import multipletests

    adjusted = iter(multipletests(known, method="holm")[1].tolist())
    return [None if p is None else next(adjusted) for p in p_values]


def tied_with_best(
    means: Mapping[str, float | None],
    p_values: Mapping[str, float | None],
    *,
    alpha: float = 0.05,
    is_higher_better: bool = True,
) -> list[str]:
    """Labels of the best approach and of all that are not significantly worse, best first.

    ``p_values`` are those of tests against the best one, already adjusted; where one is missing
    or None, nothing speaks against a tie. An approach without a mean is not ranked.
    """
    sign = -1 if is_higher_better else 1
    ranked = sorted((sign * mean, label) for label, mean in means.items() if mean is not None)
    return [
        label
        for place, (_, label) in enumerate(ranked)
        if place == 0 or (p := p_values.get(label)) is None or p >= alpha
    ]


def detectable_difference(
    num_test: int,
    *,
    accuracy: float,
    discordance: float | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> float:
    """Smallest true difference in accuracy that McNemar's test finds with the given power.

    Connor 1987 (after Miettinen 1968): with a share ``psi`` of examples on which exactly one of
    two approaches is right, a difference ``delta`` needs
    ``n = (z_alpha sqrt(psi) + z_power sqrt(psi - delta^2))^2 / delta^2`` examples. Solved for
    ``delta`` this is ``f sqrt(psi)``, with ``f`` as computed below. A difference cannot exceed
    ``psi``; where it would, every discordant example is taken to favour one side, ``psi = delta``,
    which gives ``f^2``. The continuity correction of ``mcnemar`` costs one example more, 1 / n.

    Args:
        num_test: paired examples.
        accuracy: about what both approaches reach, 0 to 1.
        discordance: ``psi``; None is not known, and takes that of approaches whose errors are
            independent, ``2 accuracy (1 - accuracy)``. Errors mostly coincide, so this is high.
        power: chance of finding the difference.
        alpha: two-sided level of the test.

    Returns:
        The difference, at most 1 (where even that would not be found).
    """
    from scipy.stats import norm

    z_alpha, z_power = float(norm.isf(alpha / 2)), float(norm.isf(1 - power))
    psi = 2 * accuracy * (1 - accuracy) if discordance is None else discordance
    under_root = num_test + z_power**2 - z_alpha**2
    if under_root < 0:
        return 1.0
    factor = z_alpha * math.sqrt(num_test) + z_power * math.sqrt(under_root)
    factor /= num_test + z_power**2
    return min(1.0, factor * max(math.sqrt(psi), factor) + 1 / num_test)
