"""Readout: examples in, answers out, by a causal model that reads prompts.

A closed set of labels is scored; what is not closed is written and read.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.data.windows import Window, divide, join, undivided
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

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many of these examples the model cannot read whole."""
        return self.prompter.num_cut(examples)


@dataclass(frozen=True)
class Scored(Readout):
    """Likelihoods of the labels decide; scores (N, C) are normalised over the labels."""

    labels: LabelTree

    @property
    def tree(self) -> LabelTree:
        """The labels as tokens."""
        return self.labels

    def added(self, examples: Sequence[Example]) -> int:  # noqa: ARG002  # the same for all
        """The inner tokens of all labels."""
        return len(self.labels.tree.tokens)

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What the likelihoods of labels make."""
        if not examples:
            return Predictions([])
        log_NC = self.engine.label_scores(self.prompter.prompts(examples), self.labels)
        scores_NC = log_NC.double().softmax(-1).numpy()
        return Predictions(self.prompter.task.answers_from(scores_NC), scores_NC)


@dataclass(frozen=True)
class Written(Readout):
    """Answers that the model writes, greedily, kept to the grammar of the task."""

    def added(self, examples: Sequence[Example]) -> int:
        """Those of the mean answer."""
        answers = [len(self.prompter.answer(str(e.answer))) for e in examples]
        return round(sum(answers) / max(1, len(answers)))

    def items(self, examples: Sequence[Example]) -> list[Item]:
        """Of every window of these examples; what has no entities is cut instead."""
        return super().items([window.example for window in self._windows(examples)])

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What was written, and the answers that it means."""
        windows = self._windows(examples)
        parts = [window.example for window in windows]
        task, written = self.prompter.task, self._written(parts)
        answers = [
            task.kind.read(text, part, task.words)
            for text, part in zip(written, parts, strict=True)
        ]
        if not task.kind.has_entities:
            return Predictions(answers, raw=written)
        raw: list[list[str]] = [[] for _ in examples]
        for window, text in zip(windows, written, strict=True):
            raw[window.source].append(text)
        return Predictions(join(windows, answers, examples), raw=["\n".join(each) for each in raw])

    def _windows(self, examples: Sequence[Example]) -> list[Window]:
        if self.prompter.task.kind.has_entities:
            return divide(examples, self.prompter.fits)
        return undivided(examples)

    @cached_property
    def _table(self) -> Any:
        """What every token stands for; it takes half a second to make."""
        from textune.engine.guide import token_table

        return token_table(self.prompter.tokenizer)

    def _written(self, examples: Sequence[Example]) -> list[str]:
        from textune.engine.guide import GrammarGuide

        task, prompter = self.prompter.task, self.prompter
        if not examples:
            return []
        start = "start: answer\n" if prompter.tokenizer.chat_template else 'start: " " answer\n'
        found = self.engine.decode(
            prompter.prompts(examples),
            [
                GrammarGuide(self._table, start + task.kind.grammar(e, task.words))
                for e in examples
            ],
            end=prompter.end,
            limits=[self._limit(example) for example in examples],
        )
        return [prompter.text(tokens) for tokens in found]

    def _limit(self, example: Example) -> int:
        """Most tokens of an answer: lists of entities are seldom longer than their text."""
        return min(2 * self.prompter.own_length(example) + 16, self.prompter.left)


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
