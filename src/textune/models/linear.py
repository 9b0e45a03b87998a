"""Linear classifiers as plain arrays: fitted by scikit-learn, kept and used without pickle."""

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

Classifier = Literal["logistic", "svm"]
"""Logistic regression, or a support vector machine with a linear kernel."""

STRENGTHS = (0.5, 2.0, 8.0, 32.0)
"""What ``auto`` chooses from for a logistic regression."""
SVM_STRENGTHS = (0.03, 0.1, 0.3, 1.0)
"""The same for a support vector machine."""
FOLDS = 3
"""Most parts of the training part that are held out in turn."""


@dataclass(frozen=True)
class LinearClassifier:
    """Scores of C labels from F features: ``weights`` (C, F), ``bias`` (C,)."""

    weights: np.ndarray
    bias: np.ndarray
    strength: float | None = None
    """What it was fitted with, if it was fitted just now."""
    exclusive: bool = True
    """Whether one label excludes the others; else each is told from the rest for itself."""

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
    features: Any,
    answers: Sequence[str],
    labels: Sequence[str],
    *,
    strength: Strength,
    seed: int,
    classifier: Classifier = "logistic",
) -> LinearClassifier:
    """A classifier with L2 penalty 1 / ``strength``.

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
    codes = np.array([present.index(a) for a in answers])
    fitted = _logistic if classifier == "logistic" else _svm
    rows, offsets, strength = fitted(features, codes, strength, derive(seed, "strength"))
    if len(present) == 2:  # scikit-learn keeps the logit of the second against the first
        rows, offsets = np.vstack([-rows / 2, rows / 2]), np.concatenate([-offsets, offsets]) / 2
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
    classifier: Classifier = "logistic",
) -> LinearClassifier:
    """A classifier for each label, whether it is among the labels of an example.

    A label that every example or none has is always or never answered.
    """
    weights, bias = np.zeros((len(labels), features.shape[1])), np.zeros(len(labels))
    for row, label in enumerate(labels):
        has = ["yes" if label in named else "no" for named in answers]
        if len(set(has)) < 2:
            bias[row] = 1e9 if has[0] == "yes" else -1e9
            continue
        one = fit_linear(
            features, has, ["no", "yes"], strength=strength, seed=seed, classifier=classifier
        )
        weights[row] = one.weights[1] - one.weights[0]
        bias[row] = one.bias[1] - one.bias[0]
    return LinearClassifier(weights, bias, exclusive=False)


def fit_for(
    task: TaskSpec,
    features: Any,
    train: Sequence[Example],
    *,
    strength: Strength,
    seed: int,
    classifier: Classifier = "logistic",
) -> LinearClassifier:
    """The classifier of a task from features (N, F) of its training part."""
    labels = list(task.labels)
    if task.kind.is_exclusive:
        answers = task.labels_of(train)
        return fit_linear(
            features, answers, labels, strength=strength, seed=seed, classifier=classifier
        )
    named = [task.kind.labels_in(str(example.answer)) for example in train]
    return fit_each(features, named, labels, strength=strength, seed=seed, classifier=classifier)


def import_solvers() -> None:
    """Have imported what fits these classifiers, so that no fit is timed with it."""
    import sklearn.linear_model
    import sklearn.model_selection
    import sklearn.svm  # noqa: F401


def _folds(codes: np.ndarray, seed: int) -> Any:
    """Folds with equal shares of each class; None where a class has a single example."""
    from sklearn.model_selection import StratifiedKFold

    number = min(FOLDS, int(np.bincount(codes).min()))
    state = seed % 2**32
    return StratifiedKFold(number, shuffle=True, random_state=state) if number > 1 else None


def _logistic(
    features: Any, codes: np.ndarray, strength: Strength, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights, offsets and strength of a logistic regression.

    ``auto`` is the best by held-out log-likelihood; 8 where nothing can be held out.
    """
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    folds = _folds(codes, seed)
    if strength != "auto" or folds is None:
        fixed = 8.0 if strength == "auto" else strength
        model = LogisticRegression(C=fixed, max_iter=2000).fit(features, codes)
        return model.coef_, model.intercept_, fixed
    model = LogisticRegressionCV(
        Cs=STRENGTHS,
        cv=folds,
        scoring="neg_log_loss",
        max_iter=2000,
        l1_ratios=(0.0,),
        use_legacy_attributes=False,
    ).fit(features, codes)
    return model.coef_, model.intercept_, float(model.C_)


def _svm(
    features: Any, codes: np.ndarray, strength: Strength, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Weights, offsets and strength of a linear support vector machine, one against the rest.

    Its margins are multiplied by one factor, so that their softmax is a probability: the factor
    with the best log-likelihood on margins of held-out examples, as temperature scaling (Guo et
    al. 2017, section 4.2). The likeliest label stays the one with the largest margin. ``auto`` is
    the strength that is best by the same likelihood. Where nothing can be held out, it is 0.3 and
    the factor 1.
    """
    from sklearn.model_selection import cross_val_predict
    from sklearn.svm import LinearSVC

    def machine(strength: float) -> Any:
        return LinearSVC(C=strength, max_iter=10_000, random_state=seed % 2**32)

    folds = _folds(codes, seed)
    if folds is None:
        strength, factor = 0.3 if strength == "auto" else strength, 1.0
    else:
        tried = []
        for each in SVM_STRENGTHS if strength == "auto" else (strength,):
            margins = cross_val_predict(
                machine(each), features, codes, cv=folds, method="decision_function"
            )
            tried.append((*best_factor(margins, codes), each))
        _, factor, strength = min(tried)
    model = machine(strength).fit(features, codes)
    return factor * model.coef_, factor * model.intercept_, strength


def best_factor(margins: np.ndarray, codes: np.ndarray) -> tuple[float, float]:
    """The lowest mean log loss of (multiplied margins', N or (N, C)) softmax, and its factor."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    margins_NC = np.stack([-margins / 2, margins / 2], axis=1) if margins.ndim == 1 else margins

    def loss(log_factor: float) -> float:
        logs_NC = log_softmax(np.exp(log_factor) * margins_NC, axis=1)
        return -float(logs_NC[np.arange(len(codes)), codes].mean())

    found = minimize_scalar(loss, bounds=(-4, 4), method="bounded")
    return float(found.fun), float(np.exp(found.x))
