"""Readout: examples in, answers out, by a causal model that reads prompts.

A closed set of labels is scored; what is not closed is written and read.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.engine.causal import CausalEngine
from textune.engine.labels import LabelTree, label_tree
from textune.engine.packing import Item
from textune.prompts.tokens import Prompter


@dataclass(frozen=True)
class Readout(ABC):
    """How a task is answered by a model."""

    engine: CausalEngine
    prompter: Prompter

    @property
    def tree(self) -> LabelTree | None:
        """The labels as tokens, where they are all answers."""
        return None

    @property
    def writes(self) -> bool:
        """Whether answers are written, token by token."""
        return self.tree is None

    @abstractmethod
    def added(self, examples: Sequence[Example]) -> int:
        """Tokens that follow a prompt when answers like those of these examples are predicted."""

    @abstractmethod
    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Answers in the order of the examples."""

    def items(self, examples: Sequence[Example]) -> list[Item]:
        """What training reads of these examples."""
        return training_items(self.prompter, examples, self.prompter.prompts(examples))


@dataclass(frozen=True)
class Scored(Readout):
    """Answers with the highest likelihood; scores (N, C) are normalised over the labels."""

    labels: LabelTree

    @property
    def tree(self) -> LabelTree:
        """The labels as tokens."""
        return self.labels

    def added(self, examples: Sequence[Example]) -> int:  # noqa: ARG002  # the same for all
        """The inner tokens of all labels."""
        return len(self.labels.tree.tokens)

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """The label with the highest likelihood."""
        names = list(self.prompter.task.labels)
        if not examples:
            return Predictions([])
        log_NC = self.engine.label_scores(self.prompter.prompts(examples), self.labels)
        scores_NC = log_NC.double().softmax(-1).numpy()
        return Predictions([names[i] for i in scores_NC.argmax(1)], scores_NC)


@dataclass(frozen=True)
class Written(Readout):
    """Answers that the model writes, greedily, kept to the grammar of the task."""

    def added(self, examples: Sequence[Example]) -> int:
        """Those of the mean answer."""
        answers = [len(self.prompter.answer(str(e.answer))) for e in examples]
        return round(sum(answers) / max(1, len(answers)))

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What was written, and the answers that it means."""
        from textune.engine.guide import GrammarGuide, token_table

        task, prompter = self.prompter.task, self.prompter
        if not examples:
            return Predictions([])
        table = token_table(prompter.tokenizer)
        start = "start: answer\n" if prompter.tokenizer.chat_template else 'start: " " answer\n'
        guides = [
            GrammarGuide(table, start + task.kind.grammar(example, task.words))
            for example in examples
        ]
        found = self.engine.decode(
            prompter.prompts(examples),
            guides,
            end=prompter.end,
            limits=[self._limit(example) for example in examples],
        )
        raw = [prompter.text(tokens) for tokens in found]
        answers = [
            task.kind.read(text, example, task.words)
            for text, example in zip(raw, examples, strict=True)
        ]
        return Predictions(answers, raw=raw)

    def _limit(self, example: Example) -> int:
        """Most tokens of an answer: lists of entities are seldom longer than their text."""
        own = sum(self.prompter.length(text) for text in example.texts)
        return min(2 * own + 16, self.prompter.left)


def training_items(
    prompter: Prompter, examples: Sequence[Example], prompts: Sequence[tuple[int, ...]]
) -> list[Item]:
    """The prompts of examples, each with its gold answer and the end token."""
    return [
        Item(prompt, (*prompter.answer(str(e.answer)), prompter.end))
        for e, prompt in zip(examples, prompts, strict=True)
    ]


def make_readout(engine: CausalEngine, prompter: Prompter) -> Readout:
    """The readout of a prompter's task.

    Raises:
        ConfigError: the tokenizer cannot tell two labels apart.
    """
    if prompter.task.kind.is_written:
        return Written(engine, prompter)
    names = list(prompter.task.labels)
    tree = label_tree([prompter.answer(n) for n in names], prompter.end, names)
    return Scored(engine, prompter, tree)
