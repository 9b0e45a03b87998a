"""A recurrent tagger of words with a CRF, trained from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textune.approaches._training import score_on, train_network
from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.core.errors import ConfigError, DataError
from textune.core.seeds import derive
from textune.data.entities import read_entities, write_entities
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.data.tags import entities_of, scheme, tags_of
from textune.models.words import Vocabulary, spans_of
from textune.tasks.base import TaskSpec
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from textune.engine.tagger import TaggerEngine, Words

VOCABULARY, WEIGHTS = "vocabulary.json", "tagger.safetensors"


@dataclass(frozen=True, kw_only=True)
class BilstmCrf(Approach):
    """A bidirectional LSTM over words and their letters, with a linear-chain CRF over tags.

    Lample et al. (2016), section 2, with letters as in Ma and Hovy (2016), section 2.1. Unlike
    theirs, its word embeddings are learnt with the rest: nothing in it was trained before.
    """

    family: ClassVar[Family] = "small model"
    revision: ClassVar[int] = 2
    kinds: ClassVar[frozenset[str]] = frozenset({"extract"})
    lr: ClassVar[float] = 1e-2
    """Default learning rate."""

    dimension: int = 100
    """Numbers in the embedding of a word."""
    units: int = 100
    """Numbers in the state of the LSTM, in either direction."""
    dropout: float = 0.5
    """Share of embeddings and states that is left out in each training step."""
    min_count: int = 2
    """A word must occur so often in the training part; rarer ones are known by letters alone."""
    training: TrainingSpec = field(default_factory=lambda: TrainingSpec(epochs=10))
    """The training loop; its objective is always the likelihood of tags."""

    def __post_init__(self) -> None:
        for name in ("dimension", "units", "min_count"):
            if getattr(self, name) < 1:
                hint = "it must be at least 1"
                raise ConfigError(f"{name} cannot be {getattr(self, name)}", hint=hint)
        if not 0 <= self.dropout < 1:
            hint = "it is a share below 1, for example 0.5"
            raise ConfigError(f"dropout cannot be {self.dropout}", hint=hint)

    def warm_up(self, context: Context) -> None:
        """Have torch imported."""
        import torch  # noqa: F401

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Learn the words, then all weights; keep the best epoch by ``valid`` if there is one."""
        from textune.training.loop import Trainee

        texts = (example.texts[0] for example in train)
        vocabulary = Vocabulary.learn(texts, min_count=self.min_count)
        predictor = self._predictor(task, vocabulary, seed)
        lr = self.training.rate(self.lr)
        trainee = Trainee(
            predictor.engine.network,
            predictor.engine.loss,
            score_on(valid, task, lambda: predictor),
        )
        items = predictor.items(train)
        predictor.notes |= train_network(
            trainee, items, self.training, lr=lr, seed=seed, context=context
        )
        return predictor

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """The words from a JSON file, all weights from a safetensors file."""
        from textune.models.weights import load_weights

        predictor = self._predictor(task, Vocabulary.load(folder / VOCABULARY), seed=0)
        load_weights(predictor.engine.network, folder / WEIGHTS)
        return predictor

    def resolved(self) -> BilstmCrf:
        """With the learning rate."""
        training = replace(self.training, lr=self.training.rate(self.lr))
        return replace(self, training=training)

    def _predictor(self, task: TaskSpec, vocabulary: Vocabulary, seed: int) -> TaggerPredictor:
        import torch

        from textune.engine.tagger import TaggerEngine
        from textune.models.device import device_name
        from textune.models.tagger import Tagger

        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "network"))
            network = Tagger(
                scheme(task.labels),
                num_words=len(vocabulary),
                dimension=self.dimension,
                units=self.units,
                dropout=self.dropout,
            ).eval()
        return TaggerPredictor(task, vocabulary, TaggerEngine(network.to(device_name())))


class TaggerPredictor(Predictor):
    """A tagger and the words that it knows."""

    def __init__(self, task: TaskSpec, vocabulary: Vocabulary, engine: TaggerEngine) -> None:
        self.vocabulary = vocabulary
        self.engine = engine
        self.tags = scheme(task.labels)
        self.notes: Notes = {"words": len(vocabulary.words)}
        self.total_params = sum(p.numel() for p in engine.network.parameters())
        self.trainable_params = self.total_params

    def items(self, examples: Sequence[Example]) -> list[Words]:
        """What training reads of these examples: those with words.

        Raises:
            DataError: no text has a word.
        """
        found = []
        for example in examples:
            item = self._read(example.texts[0])
            tags = tags_of(item.spans, read_entities(str(example.answer)))
            if tags:
                found.append(replace(item, tags=tuple(map(self.tags.index, tags))))
        if not found:
            raise DataError("no text of the training part has a word", hint="look at the texts")
        return found

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The entities that the likeliest tags make."""
        items = [self._read(example.texts[0]) for example in examples]
        answers: list[str | None] = []
        for example, item, path in zip(examples, items, self.engine.tags(items), strict=True):
            tags = [self.tags[place] for place in path]
            answers.append(write_entities(entities_of(example.texts[0], item.spans, tags)))
        return Predictions(answers)

    def save(self, folder: Path) -> None:
        """Words and weights; how they go together says the approach."""
        from textune.models.weights import save_weights

        self.vocabulary.save(folder / VOCABULARY)
        save_weights(self.engine.network, folder / WEIGHTS)

    def _read(self, text: str) -> Words:
        """A word is spelt with a space at either end, which marks how it begins and ends."""
        from textune.engine.tagger import Words

        spans = spans_of(text)
        words = [text[start:end] for start, end in spans]
        spellings = [f" {word} ".encode("utf-8", "surrogatepass") for word in words]
        return Words(tuple(spans), self.vocabulary.ids(words), tuple(spellings))
