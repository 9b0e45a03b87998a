"""Words and character n-grams weighted by rarity, and a linear classifier on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np

from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.core.artifacts import read_arrays, read_json, write_arrays, write_json
from textune.core.config import added
from textune.core.errors import ImpossibleError, StoreError
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.linear import Classifier, LinearClassifier, Strength, fit_for, import_solvers
from textune.models.terms import TermView, length_difference, pair_features
from textune.tasks.base import TaskSpec

Description = Literal["joined", "pair"]


@dataclass(frozen=True, kw_only=True)
class Tfidf(Approach):
    """TF-IDF of words and character n-grams with a linear classifier: no language model at all."""

    family: ClassVar[Family] = "small model"

    words: int = 2
    """Longest word n-gram."""
    characters: int = 5
    """Longest character n-gram inside words; the shortest is 2."""
    min_count: int = 2
    """An n-gram must occur in this many training texts."""
    strength: Strength = "auto"
    """Inverse of the L2 penalty; ``auto``: the best in three folds of the training part."""
    features: Description = added("joined")
    """How a pair is described: ``joined``, the features of both texts side by side; ``pair``,
    what they have in common term by term, as cosines and as shares, and how lengths differ."""
    classifier: Classifier = added("logistic")
    """``logistic`` regression, or a linear ``svm``, whose margins become probabilities by one
    factor from held-out folds of the training part."""

    def check(self, task: TaskSpec) -> None:
        """Features of pairs need two texts."""
        super().check(task)
        if self.features == "pair" and task.kind.num_texts != 2:
            raise ImpossibleError(
                f"features: pair needs two texts, {task.name} has {task.kind.num_texts}",
                hint="leave the option out",
            )

    def warm_up(self, context: Context) -> None:
        """Have scikit-learn imported."""
        import sklearn.feature_extraction.text  # noqa: F401

        import_solvers()

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
        terms = Terms(self.features, [TermView(o) for o in self._options(task)])
        features = terms.learn(train)
        linear = fit_for(
            task, features, train, strength=self.strength, seed=seed, classifier=self.classifier
        )
        return TfidfPredictor(task, terms, linear)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From a vocabulary file and an array file for each view, and the weights."""
        views = []
        for index, options in enumerate(self._options(task)):
            terms = read_json(folder / f"terms-{index}.json")
            rarity = read_arrays(folder / "rarity.safetensors", [str(index)])[str(index)]
            if len(terms) != len(rarity):
                raise StoreError(
                    f"damaged bundle {folder}: terms and rarities differ in number",
                    hint="fit it again, or take it from a copy",
                )
            views.append(TermView(options, {term: i for i, term in enumerate(terms)}, rarity))
        path, exclusive = folder / "linear.safetensors", task.kind.is_exclusive
        linear = LinearClassifier.load(path, exclusive=exclusive)
        return TfidfPredictor(task, Terms(self.features, views), linear)

    def _options(self, task: TaskSpec) -> list[dict[str, Any]]:
        """Words and characters: of each text, or of both texts of a pair together."""
        shared = {"min_df": self.min_count, "sublinear_tf": True, "dtype": np.float64}
        words = {
            "analyzer": "word",
            "ngram_range": (1, self.words),
            "token_pattern": r"(?u)\b\w+\b",
        }
        characters = {"analyzer": "char_wb", "ngram_range": (2, self.characters)}
        times = 1 if self.features == "pair" else task.kind.num_texts
        return [{**shared, **words}, {**shared, **characters}] * times


@dataclass
class Terms:
    """Features of examples, from a view of words and one of characters.

    ``joined`` has such two views for each text; ``pair`` has two that know both texts.
    """

    description: Description
    views: list[TermView]

    def learn(self, train: Sequence[Example]) -> Any:
        """Fit all views; give the features (N, F), sparse."""
        found = [view.learn(self._read(index, train)) for index, view in enumerate(self.views)]
        return self._together(train, found)

    def features(self, examples: Sequence[Example]) -> Any:
        """Features (N, F), sparse, with what was learnt."""
        found = [v.features(self._read(index, examples)) for index, v in enumerate(self.views)]
        return self._together(examples, found)

    def _together(self, examples: Sequence[Example], found: list[Any]) -> Any:
        """One row for each example, from what each view found in the texts that it reads."""
        from scipy.sparse import hstack

        if self.description == "joined":
            return hstack(found).tocsr()
        blocks = [block for rows in found for block in pair_features(*_halves(rows))]
        return hstack([*blocks, length_difference([e.texts for e in examples])]).tocsr()

    def _read(self, index: int, examples: Sequence[Example]) -> list[str]:
        """The texts that a view reads: of its side, or all first and then all second ones."""
        sides = (0, 1) if self.description == "pair" else (index // 2,)
        return [example.texts[side] for side in sides for example in examples]


def _halves(rows: Any) -> tuple[Any, Any]:
    """The rows of all first texts, and those of all second texts."""
    half = rows.shape[0] // 2
    return rows[:half], rows[half:]


class TfidfPredictor(Predictor):
    """Views and a linear classifier."""

    def __init__(self, task: TaskSpec, terms: Terms, linear: LinearClassifier) -> None:
        self.task = task
        self.terms = terms
        self.linear = linear
        self.notes: Notes = {"features": linear.weights.shape[1]} | linear.notes
        self.total_params = self.trainable_params = linear.weights.size + linear.bias.size

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Features, then scores of the labels."""
        if not examples:
            return Predictions([])
        scores_NC = self.linear.scores(self.terms.features(examples))
        return Predictions(self.task.answers_from(scores_NC), scores_NC)

    def save(self, folder: Path) -> None:
        """Terms in their order, rarities and weights."""
        views = self.terms.views
        for index, view in enumerate(views):
            names = sorted(view.vocabulary, key=view.vocabulary.__getitem__)
            write_json(folder / f"terms-{index}.json", names)
        rarities = {str(index): view.rarity for index, view in enumerate(views)}
        write_arrays(folder / "rarity.safetensors", rarities)
        self.linear.save(folder / "linear.safetensors")
