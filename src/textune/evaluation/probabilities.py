"""Metrics of scores (N, C), rows summing to one: do they rank well, can they be believed?

``gold`` is (N,), the column of each gold label. Scores that are not finite judge nothing: None.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

NUM_BINS = 10
"""Bins of equal width for the calibration error."""


def auc(scores: Floats | None, gold: Codes, *, positive: int) -> float | None:
    """Area under the ROC curve of one column against the rest.

    None without scores, or when gold has only the positive label or never has it.
    """
    is_positive = gold == positive
    if scores is None or not _usable(scores) or len(np.unique(is_positive)) < 2:
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_positive, scores[:, positive]))


def calibration(scores: Floats, gold: Codes) -> dict[str, float | None]:
    """``ece``, ``brier`` and ``log_loss``.

    - ``ece``, Guo et al. 2017: the gap between mean top score and share of right top labels in
      bins (low, high] of the top score, weighted by the number of examples in each.
    - ``brier``: mean over examples of the squared distance between scores and the gold label,
      summed over labels; 0 to 2.
    - ``log_loss``: mean of ``-ln`` of the gold label's score, which is clipped to the smallest
      step of a double so that one certain error does not make the mean infinite.
    """
    if not _usable(scores):
        return {"ece": None, "brier": None, "log_loss": None}
    scores = np.asarray(scores, dtype=np.float64)
    truth = np.eye(scores.shape[1])[gold]
    of_gold = np.clip(scores[np.arange(len(gold)), gold], np.finfo(np.float64).eps, 1)
    return {
        "ece": _calibration_error(scores.max(1), scores.argmax(1) == gold),
        "brier": float(((scores - truth) ** 2).sum(1).mean()),
        "log_loss": float(-np.log(of_gold).mean()),
    }


def _calibration_error(top: Floats, is_right: npt.NDArray[np.bool_]) -> float:
    """The gaps of a bin sum to ``size * (mean top score - share right)``: no division needed."""
    bins = np.searchsorted(np.linspace(0, 1, NUM_BINS + 1)[1:-1], top)
    gaps = np.bincount(bins, weights=top - is_right, minlength=NUM_BINS)
    return float(np.abs(gaps).sum() / len(top))


def _usable(scores: Floats) -> bool:
    return len(scores) > 0 and bool(np.isfinite(scores).all())
