"""Logistic regression as plain arrays: fitted by scikit-learn, kept and used without pickle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textune.core.artifacts import read_arrays, write_arrays
from textune.core.errors import DataError
from textune.data.predictions import Predictions


@dataclass(frozen=True)
class LinearClassifier:
    """Multinomial logistic regression over C labels: ``weights`` (C, F), ``bias`` (C,)."""

    weights: np.ndarray
    bias: np.ndarray

    def predict(self, features: Any, labels: Sequence[str]) -> Predictions:
        """Answers and softmax scores (N, C) from features (N, F), dense or sparse."""
        logits_NC = np.asarray(features @ self.weights.T) + self.bias
        shifted = np.exp(logits_NC - logits_NC.max(1, keepdims=True))
        scores_NC = shifted / shifted.sum(1, keepdims=True)
        return Predictions([labels[i] for i in scores_NC.argmax(1)], scores_NC)

    def save(self, path: Path) -> None:
        """Two arrays in a safetensors file."""
        write_arrays(path, {"weights": self.weights, "bias": self.bias})

    @classmethod
    def load(cls, path: Path) -> "LinearClassifier":
        """What ``save`` wrote."""
        return cls(**read_arrays(path, ["weights", "bias"]))


def fit_linear(
    features: Any, answers: Sequence[str], labels: Sequence[str], *, strength: float
) -> LinearClassifier:
    """Logistic regression with L2 penalty 1 / ``strength``.

    A label without training example gets a bias that no other label falls below.

    Raises:
        DataError: fewer than two labels occur.
    """
    from sklearn.linear_model import LogisticRegression

    present = [label for label in labels if label in set(answers)]
    if len(present) < 2:
        raise DataError(
            f"the training part has only the label {present[0]!r}",
            hint="give examples of at least two labels",
        )
    codes = [present.index(a) for a in answers]
    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit(features, codes)
    # scikit-learn keeps one row for two classes: the logit of the second against the first
    two = len(present) == 2
    rows = np.vstack([-model.coef_ / 2, model.coef_ / 2]) if two else model.coef_
    offsets = (
        np.concatenate([-model.intercept_ / 2, model.intercept_ / 2]) if two else model.intercept_
    )
    weights = np.zeros((len(labels), rows.shape[1]))
    bias = np.full(len(labels), -1e9)
    for row, label in enumerate(present):
        weights[labels.index(label)] = rows[row]
        bias[labels.index(label)] = offsets[row]
    return LinearClassifier(weights, bias)
