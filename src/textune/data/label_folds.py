"""Examples into folds, so that each fold has its share of every label.

The rule is that of scikit-learn's ``StratifiedKFold``, and so are the folds. Written out it is
short, and a study that has nothing left to do answers without importing that library.
"""

from collections.abc import Sequence

import numpy as np


def label_folds(answers: Sequence[str], folds: int, state: int) -> list[list[int]]:
    """The test part of each fold, as rising positions.

    Sorted by label (labels in order of appearance), the examples are dealt to the folds in turn;
    which of a label's examples go where is drawn from ``state``.
    """
    random = np.random.RandomState(state)  # the generator of scikit-learn's rule
    answers_N = np.asarray(answers)
    fold_N = np.empty(len(answers), dtype=np.int64)
    dealt = 0
    for label in dict.fromkeys(answers):
        is_label_N = answers_N == label
        count = int(is_label_N.sum())
        share = np.sort(np.arange(dealt, dealt + count) % folds)
        random.shuffle(share)
        fold_N[is_label_N] = share
        dealt += count
    return [np.flatnonzero(fold_N == fold).tolist() for fold in range(folds)]
