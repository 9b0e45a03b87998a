"""What approaches share that train a pretrained encoder whole, with a new layer on it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textune.approaches._training import score_on, train_network
from textune.approaches.base import Approach, Context, Family, Notes, Parts, Predictor
from textune.core.seeds import derive
from textune.data.cutting import cut_to
from textune.data.entities import read_entities, write_entities
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.data.tags import entities_of, scheme, tags_of
from textune.data.windows import Window, divide, join, undivided
from textune.models.catalog import find_model
from textune.models.device import AskedPrecision, precision_of
from textune.tasks.base import TaskSpec
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from textune.cost.demand import Demand
    from textune.engine.encoder import Encoded, EncoderEngine
    from textune.models.architecture import Drafts

WEIGHTS = "encoder.safetensors"


@dataclass(frozen=True, kw_only=True)
class TrainedEncoder(Approach):
    """A pretrained encoder, all of whose weights are trained further."""

    family: ClassVar[Family] = "small model"
    revision: ClassVar[int] = 5
    lr: ClassVar[float] = 1e-4
    """Default learning rate."""

    model: str = "all-minilm-l6-v2"
    """Encoder: a library name, a Hub id or a folder."""
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(epochs=5))
    """The training loop; its objective is always cross-entropy over labels or tags."""
    precision: AskedPrecision = "auto"
    """Number format of the encoder's weights; ``auto`` is what this machine multiplies fastest.
    The new layer is fp32."""

    @abstractmethod
    def predictor(
        self, task: TaskSpec, encoder: Any, tokenizer: Any, context: int
    ) -> EncoderPredictor:
        """An encoder with the new layer, not yet trained; ``context`` is its most tokens."""

    def warm_up(self, context: Context) -> None:
        """Have the encoder's files at hand."""
        from textune.models.load import warm_up_encoder

        warm_up_encoder(self.model)

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Train all weights, keep the best epoch by ``valid`` if there is one."""
        from textune.training.loop import Trainee

        predictor = self._predictor(task, seed)
        predictor.prepare(train, seed=seed)
        items = predictor.items(train)
        lr = self.training.rate(self.lr)
        trainee = Trainee(
            predictor.engine.model,
            predictor.engine.loss,
            score_on(valid, task, lambda: predictor),
        )
        predictor.notes |= train_network(
            trainee, items, self.training, lr=lr, seed=seed, context=context
        )
        return predictor

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """The encoder from the catalog, all its weights from the folder."""
        from textune.models.weights import load_weights

        predictor = self._predictor(task, seed=0)
        load_weights(predictor.engine.model, folder / WEIGHTS)
        return predictor

    def resolved(self) -> TrainedEncoder:
        """With the learning rate, and the number format of this machine."""
        training = replace(self.training, lr=self.training.rate(self.lr))
        return replace(self, training=training, precision=precision_of(self.precision))

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand:
        """From the largest step, run without weights, and the lengths of all inputs."""
        import torch

        from textune.training.encoder_forecast import encoder_demand

        draft = drafts.of(self.model, form="encoder")
        encoder = draft.architecture.weightless_encoder(precision_of(self.precision))
        with torch.device("meta"):
            predictor = self.predictor(task, encoder, draft.tokenizer, draft.context)
        train, valid, test = (
            predictor.encoded(part) for part in (parts.train, parts.valid, parts.test)
        )
        return encoder_demand(predictor.engine, train, valid, test, self.training)

    @property
    def base(self) -> str:
        """The encoder."""
        return self.model

    @property
    def identity(self) -> str:
        """The encoder's weights."""
        return find_model(self.model, form="encoder").identity

    def _predictor(self, task: TaskSpec, seed: int) -> EncoderPredictor:
        import torch

        from textune.models.load import load_encoder

        spec = find_model(self.model, form="encoder")
        loaded = load_encoder(spec, precision_of(self.precision))
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "head"))
            predictor = self.predictor(task, loaded.model, loaded.tokenizer, loaded.context)
        predictor.engine.model.to(loaded.model.device).eval()
        return predictor


def classes_of(task: TaskSpec) -> list[str]:
    """What the new layer tells apart: the labels, or the tags of words."""
    return scheme(task.labels) if task.kind.has_entities else list(task.labels)


class EncoderPredictor(Predictor):
    """An encoder with its new layer."""

    def __init__(self, task: TaskSpec, engine: EncoderEngine) -> None:
        self.task = task
        self.engine = engine
        self.classes = classes_of(task)
        self.notes: Notes = {}
        self.total_params = sum(p.numel() for p in engine.model.parameters())
        self.trainable_params = self.total_params

    def prepare(self, train: Sequence[Example], *, seed: int) -> None:
        """What is done before training; here nothing: the new layer begins as it was drawn."""

    def items(self, examples: Sequence[Example]) -> list[Encoded]:
        """What training reads of these examples."""
        from textune.engine.encoder import with_targets

        code = {name: place for place, name in enumerate(self.classes)}
        found = []
        parts = [window.example for window in self._windows(examples)]
        for item, example in zip(self._encode(parts), parts, strict=True):
            answer = str(example.answer)
            if not self.task.kind.is_exclusive:
                named = self.task.kind.labels_in(answer)
                targets = [int(name in named) for name in self.classes]
            elif self._tags:
                targets = [code[tag] for tag in tags_of(item.words, read_entities(answer))]
            else:
                targets = [code[self.task.kind.label_of(answer)]]
            found.append(with_targets(item, targets))
        return found

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The likeliest label with scores (N, C), or the entities that the likeliest tags make."""
        import numpy as np

        windows = self._windows(examples)
        parts = [window.example for window in windows]
        items = self._encode(parts)
        if not self._tags:
            scores = self.engine.scores(items)
            rows = np.concatenate([each.numpy() for each in scores]) if scores else None
            return Predictions([] if rows is None else self.task.answers_from(rows), rows)
        tags = [[self.classes[i] for i in each] for each in self.engine.tags(items)]
        answers = [
            write_entities(entities_of(part.texts[0], item.words, each))
            for part, item, each in zip(parts, items, tags, strict=True)
        ]
        return Predictions(join(windows, answers, examples))

    def encoded(self, examples: Sequence[Example]) -> list[Encoded]:
        """Every part of every example as the encoder reads it."""
        return self._encode([window.example for window in self._windows(examples)])

    def num_cut(self, examples: Sequence[Example]) -> int:
        """Those longer than the encoder's context."""
        return sum(not self._fits(example) for example in examples)

    def save(self, folder: Path) -> None:
        """All weights; which encoder they are of says the approach."""
        from textune.models.weights import save_weights

        save_weights(self.engine.model, folder / WEIGHTS)

    def cut(self, example: Example) -> Example:
        """What of an example the encoder reads at once."""
        return cut_to(example, self.engine.context, self.length, self.task.data.marks)

    def length(self, example: Example) -> int:
        """Tokens of an example."""
        return self.engine.length(example.texts)

    @property
    def _tags(self) -> bool:
        return self.task.kind.has_entities

    def _windows(self, examples: Sequence[Example]) -> list[Window]:
        """What is read: of long texts with entities every part, of others what fits."""
        if self._tags:
            return divide(examples, self._fits)
        return undivided([self.cut(each) for each in examples])

    def _fits(self, example: Example) -> bool:
        return self.length(example) <= self.engine.context

    def _encode(self, examples: Sequence[Example]) -> list[Encoded]:
        return self.engine.encode([example.texts for example in examples])
