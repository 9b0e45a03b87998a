"""Abstention: how often an approach is right if it may leave its least confident answers out.

An answer is kept when its confidence reaches a threshold. *Coverage* is the share of examples
whose answers are kept, *risk* the share of wrong ones among these (El-Yaniv and Wiener 2010;
Geifman and El-Yaniv 2017). Equal confidences are kept or left out together, so the order of
examples means nothing.

Legend: N examples, T thresholds from high to low, R resamples.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from textune.core import seeds
from textune.evaluation.intervals import Interval
from textune.evaluation.metrics.base import ratio
from textune.evaluation.probabilities import Flags, Floats

RESAMPLES = 200
"""Enough for an interval beside a number; each costs as much as there are examples."""
BLOCK_ENTRIES = 1 << 18
"""Draws held at once; bounds the memory, changes no result."""


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """A risk-coverage curve, or many of them: leading axes are resamples."""

    coverage: Floats
    """(..., T), rising."""
    risk: Floats
    """(..., T), NaN where nothing is kept."""

    def area(self) -> Floats:
        """The area under the curve, AURC: (...).

        The mean over examples of the risk at the threshold that just keeps the example (Geifman,
        Uziel and El-Yaniv 2019, section 2); 0 is the least, the share of errors at full coverage
        is what a confidence that knows nothing gives.
        """
        steps = np.diff(self.coverage, axis=-1, prepend=0.0)
        return np.asarray(np.where(steps > 0, steps * self.risk, 0.0).sum(-1))

    def coverage_at(self, share_right: float) -> Floats:
        """The most coverage whose answers are right in that share: (...), 0 if there is none."""
        is_enough = self.risk <= 1 - share_right + 1e-12  # NaN is not
        return np.asarray(np.where(is_enough, self.coverage, 0.0).max(-1, initial=0.0))

    def share_right_at(self, coverage: float) -> float:
        """The share of right answers when at least that much is kept; of one curve."""
        place = int(np.searchsorted(self.coverage, coverage - 1e-12))
        return float(1 - self.risk[place])


def risk_coverage(confidence_N: Floats, is_right_N: Flags) -> RiskCoverage:
    """The curve of N answers; one that has no confidence is kept last: ``-inf``."""
    return _Ranked(confidence_N, is_right_N).curve(np.ones(len(confidence_N)))


@dataclass(frozen=True)
class Abstention:
    """What an approach gains by abstaining, averaged over seeds, with 95 % bootstrap intervals."""

    area: Interval
    coverage: tuple[Interval, ...]
    """For each share of right answers that was asked for."""


def abstention(
    confidences: Sequence[Floats],
    rights: Sequence[Flags],
    shares_right: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Abstention:
    """Area, and coverage at shares of right answers, of N examples answered once for each seed.

    Intervals are percentiles over resamples of the examples, the same for every approach.
    """
    ranked = [_Ranked(*each) for each in zip(confidences, rights, strict=True)]
    size = len(confidences[0])
    draws = seeds.generator(seed, "abstention")
    block = max(1, BLOCK_ENTRIES // size)
    drawn = []
    for start in range(0, resamples, block):
        number = min(block, resamples - start)
        times_RN = draws.multinomial(size, np.full(size, 1 / size), number).astype(np.float64)
        drawn.append(_values(ranked, times_RN, shares_right))
    observed = _values(ranked, np.ones(size), shares_right).tolist()
    low, high = np.quantile(np.concatenate(drawn), [0.025, 0.975], axis=0).tolist()
    area, *coverages = (Interval(*each) for each in zip(observed, low, high, strict=True))
    return Abstention(area, tuple(coverages))


class _Ranked:
    """Answers from the most confident to the least, equal ones in one group."""

    def __init__(self, confidence_N: Floats, is_right_N: Flags) -> None:
        self.order_N = np.argsort(-confidence_N, kind="stable")
        confidence_N = confidence_N[self.order_N]
        self.starts_T = np.flatnonzero(np.r_[True, confidence_N[1:] != confidence_N[:-1]])
        self.is_wrong_N = ~is_right_N[self.order_N]

    def curve(self, times: Floats) -> RiskCoverage:
        """The curve when examples occur so many times: (..., N)."""
        ranked = times[..., self.order_N]
        kept = np.add.reduceat(ranked, self.starts_T, axis=-1).cumsum(-1)
        wrong = np.add.reduceat(ranked * self.is_wrong_N, self.starts_T, axis=-1).cumsum(-1)
        return RiskCoverage(kept / kept[..., -1:], ratio(wrong, kept))


def _values(ranked: Sequence[_Ranked], times: Floats, shares_right: Sequence[float]) -> Floats:
    """Area and coverages, means over seeds: (..., 1 + shares)."""
    curves = [each.curve(times) for each in ranked]
    of_seeds = [
        np.stack([c.area(), *(c.coverage_at(share) for share in shares_right)], axis=-1)
        for c in curves
    ]
    return np.asarray(np.mean(of_seeds, axis=0))
