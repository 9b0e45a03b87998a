"""Sentence embeddings of a frozen encoder, and a logistic regression on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.catalog import find_model
from textune.models.linear import LinearClassifier, Strength, fit_for, import_solvers
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    from textune.models.load import Loaded

LINEAR = "linear.safetensors"


@dataclass(frozen=True, kw_only=True)
class Nearest(Approach):
    """A frozen sentence encoder and logistic regression on its embeddings.

    A pair (u, v) is described by [u, v, |u - v|, u * v].
    """

    family: ClassVar[Family] = "small model"
    revision: ClassVar[int] = 2

    model: str = "all-minilm-l6-v2"
    """Sentence encoder: a library name, a Hub id or a folder."""
    strength: Strength = "auto"
    """Inverse of the L2 penalty; ``auto``: the best in three folds of the training part."""

    def warm_up(self, context: Context) -> None:
        """Have the encoder's files at hand, and the solver."""
        from textune.models.load import warm_up_encoder

        warm_up_encoder(self.model)
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
        """Embed the training part, fit the weights."""
        predictor = self._predictor(task)
        features = predictor.features(train)
        linear = fit_for(task, features, train, strength=self.strength, seed=seed)
        return predictor.with_linear(linear)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """The encoder comes from the catalog, the weights from the folder."""
        exclusive = task.kind.is_exclusive
        linear = LinearClassifier.load(folder / LINEAR, exclusive=exclusive)
        return self._predictor(task).with_linear(linear)

    @property
    def base(self) -> str:
        """The encoder."""
        return self.model

    @property
    def identity(self) -> str:
        """The encoder's weights."""
        return find_model(self.model, form="encoder").identity

    def _predictor(self, task: TaskSpec) -> NearestPredictor:
        from textune.models.load import load_encoder

        return NearestPredictor(load_encoder(find_model(self.model, form="encoder")), task)


class NearestPredictor(Predictor):
    """An encoder and a linear classifier."""

    linear: LinearClassifier

    def __init__(self, loaded: Loaded, task: TaskSpec) -> None:
        self.loaded = loaded
        self.task = task
        self.notes: Notes = {}

    def with_linear(self, linear: LinearClassifier) -> Self:
        """The same with fitted weights."""
        self.linear = linear
        self.notes = dict(linear.notes)
        self.trainable_params = linear.weights.size + linear.bias.size
        self.total_params = self.loaded.num_params + self.trainable_params
        return self

    def features(self, examples: Sequence[Example]) -> np.ndarray:
        """Features (N, D) of single texts, (N, 4 D) of pairs."""
        import torch

        from textune.engine.embedding import embed
        from textune.models.text_net import described

        sides = (
            embed(self.loaded, [e.texts[side] for e in examples])
            for side in range(self.task.kind.num_texts)
        )
        return described(*map(torch.from_numpy, sides)).numpy()

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Features, then scores of the labels."""
        scores_NC = self.linear.scores(self.features(examples))
        return Predictions(self.task.answers_from(scores_NC), scores_NC)

    def save(self, folder: Path) -> None:
        """The weights; the encoder is in the catalog."""
        self.linear.save(folder / LINEAR)
