"""A sentence encoder that learns from pairs of few examples, and a logistic regression on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from textune.approaches._training import score_on, train_network
from textune.approaches.base import Approach, Context, Family, Predictor
from textune.approaches.nearest import LINEAR, NearestPredictor
from textune.core.errors import ConfigError
from textune.data.examples import Example
from textune.models.catalog import find_model
from textune.models.linear import LinearClassifier, fit_for, import_solvers
from textune.tasks.base import TaskSpec
from textune.training.settings import TrainingSpec

WEIGHTS = "encoder.safetensors"


@dataclass(frozen=True, kw_only=True)
class Contrastive(Approach):
    """A sentence encoder that learns which examples are alike, and a logistic regression on it.

    For a few examples of each label: out of them pairs are made, half of one label, half of two,
    and the encoder is trained whole until the cosine of embeddings says which. As SetFit (Tunstall
    et al., 2022, section 3), with a bound on the number of pairs instead of one for each example.
    """

    family: ClassVar[Family] = "small model"
    revision: ClassVar[int] = 4
    kinds: ClassVar[frozenset[str]] = frozenset({"classify"})
    lr: ClassVar[float] = 1e-4
    """Default learning rate."""

    model: str = "all-minilm-l6-v2"
    """Sentence encoder: a library name, a Hub id or a folder."""
    pairs: int = 1000
    """Pairs that are made of the training part; they decide how long training takes."""
    strength: float = 1.0
    """Inverse of the L2 penalty of the logistic regression. It cannot be chosen by holding out:
    the encoder has seen all of the training part."""
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(epochs=1))
    """The training loop over pairs; its objective is always that of the pairs."""

    def __post_init__(self) -> None:
        for name in ("pairs", "strength"):
            if getattr(self, name) <= 0:
                hint = "it must be above 0"
                raise ConfigError(f"{name} cannot be {getattr(self, name)}", hint=hint)

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
        """Train the encoder on pairs, then the regression on what it makes of the examples."""
        from textune.models.load import load_encoder
        from textune.training.contrast import contrast_loss, pairs_of
        from textune.training.loop import Trainee

        loaded = load_encoder(find_model(self.model, form="encoder"))
        labels = task.labels_of(train)
        pairs = pairs_of([e.texts[0] for e in train], labels, self.pairs, seed=seed)

        def fitted() -> ContrastivePredictor:
            predictor = ContrastivePredictor(loaded, task)
            features = predictor.features(train)
            linear = fit_for(task, features, train, strength=self.strength, seed=seed)
            return predictor.with_linear(linear)

        lr = self.training.rate(self.lr)
        trainee = Trainee(
            loaded.model.requires_grad_(True),
            partial(contrast_loss, loaded),
            score_on(valid, task, fitted),
        )
        notes = train_network(trainee, pairs, self.training, lr=lr, seed=seed, context=context)
        predictor = fitted()
        predictor.notes |= {"pairs": len(pairs), **notes}
        return predictor

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """The encoder from the catalog, all its weights and those of the regression from files."""
        from textune.models.load import load_encoder
        from textune.models.weights import load_weights

        loaded = load_encoder(find_model(self.model, form="encoder"))
        load_weights(loaded.model, folder / WEIGHTS)
        linear = LinearClassifier.load(folder / LINEAR)
        return ContrastivePredictor(loaded, task).with_linear(linear)

    def resolved(self) -> Contrastive:
        """With the learning rate."""
        training = replace(self.training, lr=self.training.rate(self.lr))
        return replace(self, training=training)

    @property
    def base(self) -> str:
        """The encoder."""
        return self.model

    @property
    def identity(self) -> str:
        """The encoder's weights."""
        return find_model(self.model, form="encoder").identity


class ContrastivePredictor(NearestPredictor):
    """A linear classifier on an encoder of its own."""

    def with_linear(self, linear: LinearClassifier) -> Self:
        """The same with fitted weights; all of the encoder's are trained, too."""
        super().with_linear(linear)
        self.trainable_params = self.total_params
        return self

    def save(self, folder: Path) -> None:
        """The encoder's weights and those of the regression."""
        from textune.models.weights import save_weights

        save_weights(self.loaded.model, folder / WEIGHTS)
        super().save(folder)
