"""The bootstrap over examples, by counts: a resample is a draw of how often each outcome occurs.

N examples have at most N different outcomes (the counts of each approach's answer), so a resample
of examples is one multinomial draw over the outcomes, and no example is touched again.
"""

from collections.abc import Sequence

import numpy as np

from textune.core import seeds
from textune.evaluation.metrics.base import Counts, Floats, Metrics, Tally

RESAMPLES = 2000
"""Resamples unless said otherwise."""
BLOCK_ENTRIES = 1 << 22
"""Counts held at once; bounds the memory, changes no result."""


def resampled_values(
    name: str,
    metrics: Metrics,
    tallies: Sequence[Tally],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """A metric of P approaches on R resamples of the same N examples: (P, R), NaN undefined.

    ``tallies`` hold for each approach what was counted in the N examples. Examples are drawn with
    replacement and without strata; all approaches see the same draws.

    Raises:
        ConfigError: the metric cannot be computed from counts.
    """
    codes_PN = np.stack([tally.codes_N for tally in tallies])
    num_examples = codes_PN.shape[1]
    assert num_examples, "no examples to resample"
    outcomes_PM, times_M = np.unique(codes_PN, axis=1, return_counts=True)
    generator = seeds.generator(seed, "bootstrap")
    values_PR = np.empty((len(tallies), resamples))
    widest = max(tally.rows_UK.shape[1] for tally in tallies)
    block = max(1, BLOCK_ENTRIES // max(times_M.size, widest))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        draws_BM = generator.multinomial(num_examples, times_M / num_examples, size=stop - start)
        for row, outcomes_M, tally in zip(values_PR, outcomes_PM, tallies, strict=True):
            counts_BK = _drawn(draws_BM, outcomes_M) @ tally.rows_UK[np.unique(outcomes_M)]
            row[start:stop] = metrics.value(name, counts_BK)
    return values_PR


def _drawn(draws_BM: Counts, codes_M: Counts) -> Counts:
    """How often each present row of counts is drawn: (B, rows); outcomes may share a row."""
    order = np.argsort(codes_M, kind="stable")
    _, starts = np.unique(codes_M[order], return_index=True)
    drawn: Counts = np.add.reduceat(draws_BM[:, order], starts, axis=1)
    return drawn
