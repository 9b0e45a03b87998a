"""Metrics of scores: do they rank well, can they be believed?

Scores (N, C) of labels that exclude each other have rows that sum to one, and gold is the column
of each gold label; in scores of sets of labels each label stands for itself. Scores that are not
finite judge nothing: None.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NUM_BINS = 15
"""Bins of equal width, as in Guo et al. (2017), section 5."""
LEAST = float(np.finfo(np.float64).eps)
"""Scores are clipped to it in a log loss, so that one certain error does not make it infinite."""
OF_SCORES = ("ece", "brier", "log_loss", "label_ece", "label_brier", "label_log_loss")
"""Names of the metrics here that ask whether scores can be believed; of all, less is better."""


@dataclass(frozen=True)
class Bin:
    """Examples whose confidence lies in (low, high], and how many of them are right."""

    low: float
    high: float
    num_examples: int
    confidence: float
    """Mean."""
    share_right: float


def auc(scores: Floats | None, gold: Codes, *, positive: int) -> float | None:
    """Area under the ROC curve of one column against the rest.

    None without scores, or when gold has only the positive label or never has it.
    """
    is_positive = gold == positive
    if scores is None or not _usable(scores) or len(np.unique(is_positive)) < 2:
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(is_positive, scores[:, positive]))


def reliability(
    confidence_N: Floats, is_right_N: Flags, *, num_bins: int = NUM_BINS
) -> tuple[Bin, ...]:
    """The bins of a reliability diagram that hold examples, in order."""
    edges = np.linspace(0, 1, num_bins + 1)
    place_N = np.searchsorted(edges[1:-1], confidence_N)
    return tuple(
        Bin(
            low=float(edges[at]),
            high=float(edges[at + 1]),
            num_examples=int((place_N == at).sum()),
            confidence=float(confidence_N[place_N == at].mean()),
            share_right=float(is_right_N[place_N == at].mean()),
        )
        for at in np.unique(place_N)
    )


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """The expected calibration error (Naeini et al. 2015; Guo et al. 2017, section 2).

    The gap between mean confidence and share of right answers in a bin, weighted by its share of
    the examples. None without examples.
    """
    gaps = [abs(b.confidence - b.share_right) for b in bins]
    sizes = [b.num_examples for b in bins]
    return float(np.average(gaps, weights=sizes)) if bins else None


def calibration(scores: Floats, gold: Codes, answered: Codes) -> dict[str, float | None]:
    """``ece``, ``brier`` and ``log_loss`` of labels that exclude each other.

    - ``ece``: as ``calibration_error``; the confidence of an answer is its label's score. A
      column in ``answered`` (N,) that does not exist is no answer, and left out.
    - ``brier``: mean over examples of the squared distance between scores and the gold label,
      summed over labels as Brier (1950) has it: 0 to 2.
    - ``log_loss``: mean of ``-ln`` of the gold label's score.
    """
    if not _usable(scores):
        return {"ece": None, "brier": None, "log_loss": None}
    scores = np.asarray(scores, dtype=np.float64)
    is_answer = answered < scores.shape[1]
    given = scores[is_answer, answered[is_answer]]
    truth = np.eye(scores.shape[1])[gold]
    of_gold = np.clip(scores[np.arange(len(gold)), gold], LEAST, 1)
    return {
        "ece": calibration_error(reliability(given, (answered == gold)[is_answer])),
        "brier": float(((scores - truth) ** 2).sum(1).mean()),
        "log_loss": float(-np.log(of_gold).mean()),
    }


def calibration_of_sets(scores: Floats, truth_NC: Flags) -> dict[str, float | None]:
    """``label_ece``, ``label_brier`` and ``label_log_loss``: means over labels, each yes or no.

    - ``label_ece``: the calibration error of a label's score as the share of examples that have
      it (Naeini et al. 2015, who treat two classes).
    - ``label_brier``: mean squared distance between score and truth, 0 to 1: half of what summing
      over yes and no gives.
    - ``label_log_loss``: mean of ``-ln`` of what the score gives the truth.
    """
    if not _usable(scores):
        return {"label_ece": None, "label_brier": None, "label_log_loss": None}
    scores = np.asarray(scores, dtype=np.float64)
    errors = [
        calibration_error(reliability(of_label, is_so))
        for of_label, is_so in zip(scores.T, truth_NC.T, strict=True)
    ]
    given = np.clip(np.where(truth_NC, scores, 1 - scores), LEAST, 1)
    return {
        "label_ece": float(np.mean([error for error in errors if error is not None])),
        "label_brier": float(((scores - truth_NC) ** 2).mean()),
        "label_log_loss": float(-np.log(given).mean()),
    }


def _usable(scores: Floats) -> bool:
    return len(scores) > 0 and bool(np.isfinite(scores).all())
