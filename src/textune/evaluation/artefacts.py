"""Artefacts: how well a classifier does that sees less than it would need to understand.

The second text of a pair alone, or nothing but lengths, should not tell the label. Where it does,
a high score may come from how the data were made (Gururangan et al. 2018, NAACL; Poliak et al.
2018, *SEM). Classifiers weigh labels evenly and are judged by the mean recall of labels: whoever
answers without looking gets one over the number of labels, whatever their shares.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from textune.data.examples import Answer, Example, Examples
from textune.data.findings import Finding, Level, percent
from textune.data.folds import Fold, sample
from textune.evaluation.metrics.label import Label
from textune.evaluation.resampling import resampled_values

MAX_TRAIN = 20_000
"""Examples that a classifier learns from at most; more are sampled."""
MAX_TESTED = 10_000
"""Examples of a fold that it is tested on at most; more are sampled."""
MIN_TESTED = 2_000
"""No further fold is tried when so many examples were tested."""
CLEAR = 0.1
"""Share of the way from chance to no mistake from which a classifier betrays an artefact."""
SEED = 0
FEATURES = 30_000
"""Words and word pairs that a classifier counts, the most frequent ones."""

Learner = Callable[[Sequence[Example], Sequence[Answer], Sequence[Example]], list[Answer]]
"""(training examples, their answers, tested examples) -> answers."""


@dataclass(frozen=True, kw_only=True)
class Blind:
    """A classifier that sees little, and what it still gets right."""

    sees: str
    """``lengths``, ``text 1`` or ``text 2``."""
    recall: float
    """Mean recall of labels, 0 to 1."""
    low: float
    """Lower bound of the 95 % bootstrap interval over tested examples."""
    high: float
    """Upper bound."""


@dataclass(frozen=True, kw_only=True)
class Artefacts:
    """What blind classifiers get right."""

    chance: float
    """Mean recall of labels of any answering that does not look at the input."""
    num_train: int
    """Examples that a classifier learnt from, at most."""
    num_tested: int
    """Examples that it was tested on, over folds."""
    is_sampled: bool
    """Whether those are samples of larger parts."""
    classifiers: tuple[Blind, ...]

    def gain(self, blind: Blind) -> float:
        """How far a classifier is on the way from chance to no mistake."""
        return (blind.recall - self.chance) / (1 - self.chance)


def find_artefacts(
    examples: Examples, folds: Sequence[Fold], labels: Sequence[str]
) -> Artefacts | None:
    """Train on the training part of each fold, test on its test part; a fixed split is one fold.

    None where the tested examples have one label only.
    """
    chosen = _enough(folds)
    tried = [_sampled(fold, examples.answers) for fold in chosen]
    gold = [examples.answers[i] for fold in tried for i in fold.test]
    if len(set(gold)) < 2:
        return None
    learners: dict[str, Learner] = {"lengths": _by_lengths}
    num_texts = len(examples.rows[0].texts)
    if num_texts > 1:
        learners |= {f"text {place + 1}": _by_words(place) for place in range(num_texts)}
    blind = []
    for sees, learn in learners.items():
        answers = [answer for fold in tried for answer in _answers(examples, fold, learn)]
        recall, low, high = _mean_recall(labels, gold, answers)
        blind.append(Blind(sees=sees, recall=recall, low=low, high=high))
    return Artefacts(
        chance=1 / len(set(gold)),
        num_train=max(len(fold.train) for fold in tried),
        num_tested=len(gold),
        is_sampled=tried != chosen,
        classifiers=tuple(blind),
    )


def artefact_findings(artefacts: Artefacts) -> list[Finding]:
    """One for each classifier that is clearly better than chance.

    How long a single text is may be part of what it is, so there it is only good to know.
    """
    level: Level = "warning" if len(artefacts.classifiers) > 1 else "info"
    found = []
    for blind in artefacts.classifiers:
        if blind.low > artefacts.chance and artefacts.gain(blind) >= CLEAR:
            what = "lengths alone tell" if blind.sees == "lengths" else f"{blind.sees} alone tells"
            message = (
                f"{what} the label in {percent(blind.recall)} of cases, mean over labels, where "
                f"guessing does in {percent(artefacts.chance)}: scores may come from artefacts"
            )
            name = f"artefact in {blind.sees}"
            count = artefacts.num_tested
            found.append(Finding(level=level, name=name, message=message, count=count))
    return found


def _enough(folds: Sequence[Fold]) -> list[Fold]:
    chosen: list[Fold] = []
    while len(chosen) < len(folds) and sum(len(fold.test) for fold in chosen) < MIN_TESTED:
        chosen.append(folds[len(chosen)])
    return chosen


def _sampled(fold: Fold, answers: Sequence[Answer]) -> Fold:
    for name, limit in (("train", MAX_TRAIN), ("test", MAX_TESTED)):
        part = getattr(fold, name)
        if len(part) > limit:
            fold = replace(fold, **{name: sample(part, answers, limit, SEED)})
    return fold


def _answers(examples: Examples, fold: Fold, learn: Learner) -> list[Answer]:
    train, tested = examples.take(fold.train), examples.take(fold.test)
    return learn(train.rows, train.answers, tested.rows)


def _by_words(place: int) -> Learner:
    """Logistic regression on words, word pairs and punctuation of one of the texts."""

    def learn(
        train: Sequence[Example], answers: Sequence[Answer], tested: Sequence[Example]
    ) -> list[Answer]:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        vectorizer = TfidfVectorizer(
            ngram_range=(1, 2),
            token_pattern=r"\w+|[^\w\s]",
            sublinear_tf=True,
            max_features=FEATURES,
        )
        features = vectorizer.fit_transform([row.texts[place] for row in train])
        model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(features, answers)
        return _predicted(model, vectorizer.transform([row.texts[place] for row in tested]))

    return learn


def _by_lengths(
    train: Sequence[Example], answers: Sequence[Answer], tested: Sequence[Example]
) -> list[Answer]:
    """A small decision tree on words and characters of each text and their differences."""
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(
        max_leaf_nodes=16, min_samples_leaf=20, class_weight="balanced", random_state=SEED
    )
    return _predicted(model.fit(_lengths(train), answers), _lengths(tested))


def _lengths(rows: Sequence[Example]) -> list[list[int]]:
    found = []
    for row in rows:
        sizes = [(len(text.split()), len(text)) for text in row.texts]
        between = [b - a for a, b in zip(sizes[0], sizes[-1], strict=True)]
        found.append([*(size for pair in sizes for size in pair), *between])
    return found


def _predicted(model: Any, features: Any) -> list[Answer]:
    return [str(answer) for answer in model.predict(features)]


def _mean_recall(
    labels: Sequence[str], gold: Sequence[Answer], answers: Sequence[Answer]
) -> tuple[float, float, float]:
    """Mean recall of the labels that occur, and its 95 % bootstrap interval over examples."""
    metrics = Label(labels=tuple(labels))
    tally = metrics.tally(gold, answers)
    names = [f"recall:{label}" for label in labels if label in set(gold)]
    value = float(np.mean([metrics.value(name, tally.total()) for name in names]))
    # Every call draws the same resamples; one without any example of a label leaves it out.
    resampled = np.stack([resampled_values(name, metrics, [tally])[0] for name in names])
    low, high = np.quantile(np.nanmean(resampled, axis=0), [0.025, 0.975]).tolist()
    return value, low, high
