"""Whole groups into folds, so that each fold has its share of every label.

The rule is that of scikit-learn's ``StratifiedGroupKFold``, and so are the folds. Its steps are
taken for all folds at once here: pairs that share questions make tens of thousands of groups.

Legend: N examples, C labels, G groups, K folds.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


def group_folds(
    answers: Sequence[str], groups: Sequence[int], folds: int, state: int
) -> list[list[int]]:
    """The test part of each fold, as rising positions.

    Groups come by falling spread of their label counts, ties in an order drawn from ``state``. A
    group goes where the shares of labels in folds then differ least, of equal places to the fold
    with the fewest examples.
    """
    labels_C, codes_N, totals_C = np.unique(answers, return_inverse=True, return_counts=True)
    names_G, groups_N = np.unique(groups, return_inverse=True)
    order_G = np.arange(len(names_G))
    np.random.RandomState(state).shuffle(order_G)  # the generator of scikit-learn's rule
    places_G = np.empty_like(order_G)
    places_G[order_G] = np.arange(len(order_G))
    groups_N = places_G[groups_N]
    counts_GC = np.zeros((len(names_G), len(labels_C)))
    np.add.at(counts_GC, (groups_N, codes_N), 1)

    counts_KC = np.zeros((folds, len(labels_C)))
    fold_G = np.empty(len(names_G), dtype=np.int64)
    for group in np.argsort(-np.std(counts_GC, axis=1), kind="stable").tolist():
        fold_G[group] = best = _best_fold(counts_KC, counts_GC[group], totals_C)
        counts_KC[best] += counts_GC[group]
    return [np.flatnonzero(fold_G[groups_N] == fold).tolist() for fold in range(folds)]


def _best_fold(counts_KC: Counts, added_C: Counts, totals_C: npt.NDArray[np.int64]) -> int:
    each_K1 = np.eye(len(counts_KC))[:, :, None]
    spreads_K = np.std((counts_KC + each_K1 * added_C) / totals_C, axis=1).mean(-1).tolist()
    sizes_K = counts_KC.sum(-1).tolist()
    best = 0
    for fold in range(1, len(sizes_K)):
        spread, least = spreads_K[fold], spreads_K[best]
        is_equal = abs(spread - least) <= 1e-8 + 1e-5 * abs(least)
        if spread < least or (is_equal and sizes_K[fold] < sizes_K[best]):
            best = fold
    return best
