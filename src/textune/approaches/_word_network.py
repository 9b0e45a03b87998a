"""What approaches share whose network reads words and is trained from nothing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textune.approaches._training import score_on, train_network
from textune.approaches.base import Approach, Context, Family, Notes, Predictor
from textune.core.errors import ConfigError
from textune.core.seeds import derive
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.words import Vocabulary, words_of
from textune.tasks.base import TaskSpec
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from textune.engine.words import Encoded, WordEngine
    from textune.models.text_net import Reader

BRIEF = TrainingSpec(epochs=4, batch_size=64, min_steps=300)
"""Enough for a small network that starts from nothing (decision 19)."""
VOCABULARY, WEIGHTS = "vocabulary.json", "network.safetensors"


@dataclass(frozen=True, kw_only=True)
class WordNetwork(Approach):
    """A network whose words, embeddings and layers come from the training part alone."""

    family: ClassVar[Family] = "small model"
    revision: ClassVar[int] = 2
    lr: ClassVar[float] = 1e-3
    """Default learning rate."""

    dimension: int = 100
    """Numbers in the embedding of a word."""
    hidden: int = 100
    """Width of the dense layer that reads the description of an example; 0: there is none."""
    dropout: float = 0.3
    """Share of embeddings and features that is left out in each training step."""
    min_count: int = 2
    """A word must occur so often in the training part; rarer ones are unknown."""
    buckets: int = 2**10
    """Unknown words are spread over so many embeddings, so that the same one is seen in two texts
    of a pair."""
    training: TrainingSpec = field(default_factory=lambda: BRIEF)
    """The training loop; its objective is always cross-entropy over labels."""

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            least = 0 if option.name == "hidden" else 1
            sizes = value if isinstance(value, tuple) else (value,)
            if not sizes or any(isinstance(size, int) and size < least for size in sizes):
                hint = f"it must be at least {least}"
                raise ConfigError(f"{option.name} cannot be {value}", hint=hint)
        if not 0 <= self.dropout < 1:
            hint = "it is a share from 0 to below 1, for example 0.3"
            raise ConfigError(f"dropout cannot be {self.dropout}", hint=hint)

    @abstractmethod
    def reader(self) -> Reader:
        """What makes one vector of a text's words, not yet trained."""

    def terms(self, text: str) -> list[str]:
        """What of a text gets an embedding each."""
        return words_of(text)

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

        vocabulary = Vocabulary.learn(
            (text for example in train for text in example.texts),
            min_count=self.min_count,
            num_buckets=self.buckets,
        )
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

    def resolved(self) -> WordNetwork:
        """With the learning rate."""
        training = replace(self.training, lr=self.training.rate(self.lr))
        return replace(self, training=training)

    def _predictor(self, task: TaskSpec, vocabulary: Vocabulary, seed: int) -> WordPredictor:
        import torch

        from textune.engine.words import WordEngine
        from textune.models.device import device_name
        from textune.models.text_net import TextNet

        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "network"))
            network = TextNet(
                self.reader(),
                num_words=len(vocabulary),
                dimension=self.dimension,
                num_texts=task.kind.num_texts,
                hidden=self.hidden,
                dropout=self.dropout,
                num_outputs=len(task.labels),
            ).eval()
        engine = WordEngine(network.to(device_name()), exclusive=task.kind.is_exclusive)
        return WordPredictor(self, task, vocabulary, engine)


class WordPredictor(Predictor):
    """A network and the words that it knows."""

    def __init__(
        self, approach: WordNetwork, task: TaskSpec, vocabulary: Vocabulary, engine: WordEngine
    ) -> None:
        self.approach = approach
        self.task = task
        self.vocabulary = vocabulary
        self.engine = engine
        self.notes: Notes = {"words": len(vocabulary.words)}
        self.total_params = sum(p.numel() for p in engine.network.parameters())
        self.trainable_params = self.total_params

    def items(self, examples: Sequence[Example]) -> list[Encoded]:
        """What training reads of these examples."""
        return [
            replace(item, targets=self._targets(str(example.answer)))
            for item, example in zip(self.encoded(examples), examples, strict=True)
        ]

    def encoded(self, examples: Sequence[Example]) -> list[Encoded]:
        """Examples as the network reads them; a text without words is one unknown word."""
        from textune.engine.words import Encoded

        return [
            Encoded(tuple(self.vocabulary.ids(self.approach.terms(t) or [""]) for t in e.texts))
            for e in examples
        ]

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The likeliest label or labels, with scores (N, C)."""
        scores_NC = self.engine.scores(self.encoded(examples))
        return Predictions(self.task.answers_from(scores_NC), scores_NC)

    def save(self, folder: Path) -> None:
        """Words and weights; how they go together says the approach."""
        from textune.models.weights import save_weights

        self.vocabulary.save(folder / VOCABULARY)
        save_weights(self.engine.network, folder / WEIGHTS)

    def _targets(self, answer: str) -> tuple[int, ...]:
        """The number of the label, or whether each applies where several may."""
        labels, kind = list(self.task.labels), self.task.kind
        if kind.is_exclusive:
            return (labels.index(kind.label_of(answer)),)
        return tuple(int(label in kind.labels_in(answer)) for label in labels)
