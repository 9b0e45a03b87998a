"""The bootstrap over examples, by counts: a resample is a draw of how often each outcome occurs.

N examples have at most N different outcomes (gold label and answers), so a resample of examples
is one multinomial draw over the outcomes, and no example is touched again.
"""

from collections.abc import Sequence

import numpy as np

from textune.core import seeds
from textune.evaluation.metrics import Counts, Floats, cells, metric_value

RESAMPLES = 2000
"""Resamples unless said otherwise."""
BLOCK_ENTRIES = 1 << 22
"""Counts held at once; bounds the memory, changes no result."""


def resampled_values(
    name: str,
    gold: Sequence[str],
    answers: Sequence[Sequence[str | None]],
    labels: Sequence[str],
    *,
    positive: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Floats:
    """A metric of P approaches on R resamples of the same N examples: (P, R), NaN undefined.

    Examples are drawn with replacement and without strata; all approaches see the same draws.

    Raises:
        ConfigError: the metric cannot be computed from counts.
    """
    assert gold, "no examples to resample"
    shape = (len(labels), len(labels) + 1)
    outcomes_PN = np.stack([cells(gold, of_one, labels) for of_one in answers])
    outcomes_PK, times_K = np.unique(outcomes_PN, axis=1, return_counts=True)
    generator = seeds.generator(seed, "bootstrap")
    values_PR = np.empty((len(answers), resamples))
    block = max(1, BLOCK_ENTRIES // max(times_K.size, shape[0] * shape[1]))
    for start in range(0, resamples, block):
        stop = min(start + block, resamples)
        draws_BK = generator.multinomial(len(gold), times_K / len(gold), size=stop - start)
        for row, outcomes_K in zip(values_PR, outcomes_PK, strict=True):
            counts_BCA = _tabulate(draws_BK, outcomes_K, shape)
            row[start:stop] = metric_value(name, counts_BCA, labels, positive=positive)
    return values_PR


def _tabulate(draws_BK: Counts, cells_K: Counts, shape: tuple[int, int]) -> Counts:
    """Confusion counts of each draw: (B, C, C + 1); several outcomes may share a cell."""
    order = np.argsort(cells_K, kind="stable")
    present, starts = np.unique(cells_K[order], return_index=True)
    counts = np.zeros((len(draws_BK), shape[0] * shape[1]), dtype=np.int64)
    counts[:, present] = np.add.reduceat(draws_BK[:, order], starts, axis=1)
    return counts.reshape(-1, *shape)
