"""Words and character n-grams weighted by rarity, and a logistic regression on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.core.artifacts import read_arrays, read_json, write_arrays, write_json
from textune.core.errors import StoreError
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.linear import LinearClassifier, Strength, fit_for
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Tfidf(Approach):
    """TF-IDF of words and character n-grams with logistic regression: no language model at all."""

    family: ClassVar[Family] = "small model"

    words: int = 2
    """Longest word n-gram."""
    characters: int = 5
    """Longest character n-gram inside words; the shortest is 2."""
    min_count: int = 2
    """An n-gram must occur in this many training texts."""
    strength: Strength = "auto"
    """Inverse of the L2 penalty; ``auto``: the best in three folds of the training part."""

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Vocabulary, rarities and weights from the training part alone."""
        views = [
            _View(self._options(), i, {}, np.zeros(0)) for i in range(2 * task.kind.num_texts)
        ]
        features = [view.learn([e.texts[view.text] for e in train]) for view in views]
        linear = fit_for(task, _joined(features), train, strength=self.strength, seed=seed)
        return TfidfPredictor(task, views, linear)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From a vocabulary file and an array file for each view, and the weights."""
        views = []
        for index in range(2 * task.kind.num_texts):
            terms = read_json(folder / f"terms-{index}.json")
            rarity = read_arrays(folder / "rarity.safetensors", [str(index)])[str(index)]
            if len(terms) != len(rarity):
                raise StoreError(
                    f"damaged bundle {folder}: terms and rarities differ in number",
                    hint="fit it again, or take it from a copy",
                )
            vocabulary = {term: place for place, term in enumerate(terms)}
            views.append(_View(self._options(), index, vocabulary, rarity))
        path, exclusive = folder / "linear.safetensors", task.kind.is_exclusive
        return TfidfPredictor(task, views, LinearClassifier.load(path, exclusive=exclusive))

    def _options(self) -> tuple[dict[str, Any], dict[str, Any]]:
        shared = {"min_df": self.min_count, "sublinear_tf": True, "dtype": np.float64}
        words = {
            "analyzer": "word",
            "ngram_range": (1, self.words),
            "token_pattern": r"(?u)\b\w+\b",
        }
        characters = {"analyzer": "char_wb", "ngram_range": (2, self.characters)}
        return {**shared, **words}, {**shared, **characters}


@dataclass
class _View:
    """One way of counting one text: even indices count words, odd ones characters."""

    options: tuple[dict[str, Any], dict[str, Any]]
    index: int
    vocabulary: dict[str, int]
    rarity: np.ndarray

    @property
    def text(self) -> int:
        """Which text of an example it reads."""
        return self.index // 2

    def learn(self, texts: Sequence[str]) -> Any:
        """Fit vocabulary and rarities; give the features (N, F), sparse."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        options = self.options[self.index % 2]
        try:
            features = (vectorizer := TfidfVectorizer(**options)).fit_transform(texts)
        except ValueError:  # nothing occurs often enough in a tiny training part
            vectorizer = TfidfVectorizer(**{**options, "min_df": 1})
            features = vectorizer.fit_transform(texts)
        self.vocabulary = {term: int(i) for term, i in vectorizer.vocabulary_.items()}
        self.rarity = vectorizer.idf_
        return features

    def features(self, texts: Sequence[str]) -> Any:
        """Features (N, F) with what was learnt."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(**self.options[self.index % 2], vocabulary=self.vocabulary)
        vectorizer.idf_ = self.rarity
        return vectorizer.transform(texts)


class TfidfPredictor(Predictor):
    """Views and a linear classifier."""

    def __init__(self, task: TaskSpec, views: list[_View], linear: LinearClassifier) -> None:
        self.task = task
        self.views = views
        self.linear = linear
        self.notes: Notes = {"features": linear.weights.shape[1]} | linear.notes
        self.total_params = self.trainable_params = linear.weights.size + linear.bias.size

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Features, then softmax scores."""
        if not examples:
            return Predictions([])
        features = [v.features([e.texts[v.text] for e in examples]) for v in self.views]
        joined = _joined(features)
        scores_NC = self.linear.scores(joined)
        return Predictions(self.task.answers_from(scores_NC), scores_NC)

    def save(self, folder: Path) -> None:
        """Terms in their order, rarities and weights."""
        for view in self.views:
            terms = sorted(view.vocabulary, key=view.vocabulary.__getitem__)
            write_json(folder / f"terms-{view.index}.json", terms)
        write_arrays(folder / "rarity.safetensors", {str(v.index): v.rarity for v in self.views})
        self.linear.save(folder / "linear.safetensors")


def _joined(features: list[Any]) -> Any:
    """Features side by side; nothing pair-specific, so that the baseline stays what it says."""
    from scipy.sparse import hstack

    return hstack(features).tocsr()
