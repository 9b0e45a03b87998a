"""Logistic regression as plain arrays: fitted by scikit-learn, kept and used without pickle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from textune.core.artifacts import read_arrays, write_arrays
from textune.core.errors import DataError
from textune.core.seeds import derive
from textune.data.examples import Example
from textune.tasks.base import TaskSpec

Strength = float | Literal["auto"]
"""Inverse of the L2 penalty; ``auto`` is chosen by cross-validation inside the training part."""

STRENGTHS = (0.5, 2.0, 8.0, 32.0)
"""What ``auto`` chooses from."""


@dataclass(frozen=True)
class LinearClassifier:
    """Multinomial logistic regression over C labels: ``weights`` (C, F), ``bias`` (C,)."""

    weights: np.ndarray
    bias: np.ndarray
    strength: float | None = None
    """What it was fitted with, if it was fitted just now."""
    exclusive: bool = True
    """Whether one label excludes the others; else each has a regression of its own."""

    @property
    def notes(self) -> dict[str, float]:
        """What a cell records of the fit."""
        return {} if self.strength is None else {"strength": self.strength}

    def scores(self, features: Any) -> np.ndarray:
        """Scores (N, C) from features (N, F), dense or sparse: softmax, or sigmoid of each."""
        logits_NC = np.asarray(features @ self.weights.T) + self.bias
        if not self.exclusive:
            each: np.ndarray = 1 / (1 + np.exp(-np.clip(logits_NC, -700, 700)))
            return each
        shifted = np.exp(logits_NC - logits_NC.max(1, keepdims=True))
        scores_NC: np.ndarray = shifted / shifted.sum(1, keepdims=True)
        return scores_NC

    def save(self, path: Path) -> None:
        """The two arrays in a safetensors file."""
        write_arrays(path, {"weights": self.weights, "bias": self.bias})

    @classmethod
    def load(cls, path: Path, *, exclusive: bool = True) -> "LinearClassifier":
        """What ``save`` wrote."""
        arrays = read_arrays(path, ["weights", "bias"])
        return cls(arrays["weights"], arrays["bias"], exclusive=exclusive)


def fit_linear(
    features: Any, answers: Sequence[str], labels: Sequence[str], *, strength: Strength, seed: int
) -> LinearClassifier:
    """Logistic regression with L2 penalty 1 / ``strength``.

    A label without training example gets a bias that no other label falls below.

    Raises:
        DataError: fewer than two labels occur.
    """
    present = [label for label in labels if label in set(answers)]
    if len(present) < 2:
        raise DataError(
            f"the training part has only the label {present[0]!r}",
            hint="give examples of at least two labels",
        )
    codes = [present.index(a) for a in answers]
    model, strength = _fitted(features, codes, strength, derive(seed, "strength"))
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
    return LinearClassifier(weights, bias, strength)


def fit_each(
    features: Any,
    answers: Sequence[Sequence[str]],
    labels: Sequence[str],
    *,
    strength: Strength,
    seed: int,
) -> LinearClassifier:
    """A logistic regression for each label, whether it is among the labels of an example.

    A label that every example or none has is always or never answered.
    """
    weights, bias = np.zeros((len(labels), features.shape[1])), np.zeros(len(labels))
    for row, label in enumerate(labels):
        has = ["yes" if label in named else "no" for named in answers]
        if len(set(has)) < 2:
            bias[row] = 1e9 if has[0] == "yes" else -1e9
            continue
        one = fit_linear(features, has, ["no", "yes"], strength=strength, seed=seed)
        weights[row] = one.weights[1] - one.weights[0]
        bias[row] = one.bias[1] - one.bias[0]
    return LinearClassifier(weights, bias, exclusive=False)


def fit_for(
    task: TaskSpec, features: Any, train: Sequence[Example], *, strength: Strength, seed: int
) -> LinearClassifier:
    """The classifier of a task from features (N, F) of its training part."""
    labels = list(task.labels)
    if task.kind.is_exclusive:
        return fit_linear(features, task.labels_of(train), labels, strength=strength, seed=seed)
    named = [task.kind.labels_in(str(example.answer)) for example in train]
    return fit_each(features, named, labels, strength=strength, seed=seed)


def _fitted(features: Any, codes: list[int], strength: Strength, seed: int) -> tuple[Any, float]:
    """A fitted model of scikit-learn, and its strength: the best by held-out log-likelihood.

    Where a label has a single example, nothing can be held out and ``auto`` is 8.
    """
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold

    folds = min(3, int(np.bincount(codes).min()))
    if strength != "auto" or folds < 2:
        fixed = 8.0 if strength == "auto" else strength
        return LogisticRegression(C=fixed, max_iter=2000).fit(features, codes), fixed
    model = LogisticRegressionCV(
        Cs=STRENGTHS,
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed % 2**32),
        scoring="neg_log_loss",
        max_iter=2000,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    ).fit(features, codes)
    return model, float(model.C_)
