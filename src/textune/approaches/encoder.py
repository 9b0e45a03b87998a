"""A small encoder, fine-tuned whole with a new layer: of the text, the pair, or every word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.core.errors import StoreError
from textune.core.seeds import derive
from textune.data.entities import read_entities, write_entities
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.data.tags import entities_of, tags_of
from textune.models.catalog import find_model
from textune.tasks.base import TaskSpec
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from textune.engine.encoder import Encoded, EncoderEngine


@dataclass(frozen=True, kw_only=True)
class Encoder(Approach):
    """A small encoder, fine-tuned whole, with a linear layer on its mean or on every word.

    Entities are read off tags of words (B, I or O), words being what the encoder's tokenizer
    splits at spaces and punctuation.
    """

    family: ClassVar[Family] = "small model"
    kinds: ClassVar[frozenset[str]] = frozenset({"classify", "pair", "extract"})
    lr: ClassVar[float] = 1e-4
    """Default learning rate."""

    model: str = "all-minilm-l6-v2"
    """Encoder: a library name, a Hub id or a folder."""
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(epochs=5))
    """The training loop; its objective is always cross-entropy over labels or tags."""

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
        from textune.training.loop import Trainee, Watch
        from textune.training.loop import train as train_loop
        from textune.training.objective import main_score

        predictor = self._predictor(task, seed)
        items = predictor.items(train)
        lr = self.training.rate(self.lr)
        trainee = Trainee(
            predictor.engine.model,
            predictor.engine.loss,
            (lambda: main_score(predictor.predict(valid), task, valid)) if valid else None,
        )
        watch = Watch(context.report, context.work, context.kept, context.checkpoint_seconds)
        progress = train_loop(trainee, items, self.training, lr=lr, seed=seed, watch=watch)
        predictor.notes |= progress.notes(lr)
        predictor.notes["inputs_cut"] = sum(item.is_cut for item in items)
        return predictor

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """The encoder from the catalog, all its weights from the folder."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        predictor, path = self._predictor(task, seed=0), folder / "encoder.safetensors"
        try:
            predictor.engine.model.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            hint = "fit it again, or take it from a copy"
            raise StoreError(f"damaged weights {path}: {reason}", hint=hint) from None
        return predictor

    def resolved(self) -> Encoder:
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

    def _predictor(self, task: TaskSpec, seed: int) -> EncoderPredictor:
        import torch

        from textune.engine.encoder import EncoderEngine
        from textune.models.encoder_head import EncoderWithHead
        from textune.models.load import load_encoder

        loaded = load_encoder(find_model(self.model, form="encoder"))
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "head"))
            model = EncoderWithHead(loaded.model, len(classes_of(task))).to(loaded.model.device)
        by_word = task.kind.has_entities
        engine = EncoderEngine(
            model.eval(), loaded.tokenizer, context=loaded.context, by_word=by_word
        )
        return EncoderPredictor(task, engine)


def classes_of(task: TaskSpec) -> list[str]:
    """What the new layer tells apart: the labels, or the tags of words."""
    if not task.kind.has_entities:
        return list(task.labels)
    return ["O", *(f"{letter}-{label}" for label in task.labels for letter in "BI")]


class EncoderPredictor(Predictor):
    """An encoder with its head."""

    def __init__(self, task: TaskSpec, engine: EncoderEngine) -> None:
        self.task = task
        self.engine = engine
        self.classes = classes_of(task)
        self.notes: Notes = {}
        self.total_params = sum(p.numel() for p in engine.model.parameters())
        self.trainable_params = self.total_params

    def items(self, examples: Sequence[Example]) -> list[Encoded]:
        """What training reads of these examples."""
        from textune.engine.encoder import with_targets

        code = {name: place for place, name in enumerate(self.classes)}
        found = []
        for item, example in zip(self._encode(examples), examples, strict=True):
            answer = str(example.answer)
            names = tags_of(item.words, read_entities(answer)) if self._tags else [answer]
            found.append(with_targets(item, [code[name] for name in names]))
        return found

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The likeliest label with scores (N, C), or the entities that the likeliest tags make."""
        import numpy as np

        items = self._encode(examples)
        scores = self.engine.scores(items)
        best = [[self.classes[i] for i in each.argmax(-1).tolist()] for each in scores]
        if not self._tags:
            rows = np.concatenate([each.numpy() for each in scores]) if scores else None
            return Predictions([names[0] for names in best], rows)
        return Predictions(
            [
                write_entities(entities_of(example.texts[0], item.words, tags))
                for example, item, tags in zip(examples, items, best, strict=True)
            ]
        )

    def save(self, folder: Path) -> None:
        """All weights; which encoder they are of says the approach."""
        from safetensors.torch import save_file

        state = {name: t.contiguous() for name, t in self.engine.model.state_dict().items()}
        save_file(state, folder / "encoder.safetensors", metadata={"format": "pt"})

    @property
    def _tags(self) -> bool:
        return self.task.kind.has_entities

    def _encode(self, examples: Sequence[Example]) -> list[Encoded]:
        return self.engine.encode([example.texts for example in examples])
