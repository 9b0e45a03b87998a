"""Readout: examples in, answers out, by a causal model that reads prompts.

A closed set of labels is scored, if need be behind a reasoning; what is not closed, or is to be
written freely, is written and read.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.data.windows import Window, divide, join, undivided
from textune.engine.causal import CausalEngine
from textune.engine.decoding import Free, Guide, ends_of
from textune.engine.labels import LabelTree, label_tree
from textune.engine.lengths import Lengths
from textune.engine.packing import Item
from textune.prompts.calibration import CONTENT_FREE, calibrate, content_free
from textune.prompts.reading import read_answer
from textune.prompts.template import Prompt
from textune.prompts.tokens import Prompter

_AFTER_SPACE = 'start: " " answer\n'
"""Of answers that a space stands before."""


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

    def asked(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """The prompts that answering these examples takes."""
        return self.prompter.prompts(examples)

    def items(self, examples: Sequence[Example]) -> list[Item]:
        """What training reads of these examples."""
        return training_items(self.prompter, examples, self.prompter.prompts(examples))

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many of these examples the model cannot read whole."""
        return self.prompter.num_cut(examples)

    def notes(self) -> dict[str, float]:
        """What the predictions so far have to say, for records."""
        return {}


@dataclass(frozen=True)
class Scored(Readout):
    """Likelihoods of the labels decide; scores (N, C) are normalised over the labels."""

    labels: LabelTree
    calibrated: bool = False
    """Whether what the prompt makes of content-free inputs is taken out (Zhao et al., 2021)."""
    _blank: dict[Prompt, torch.Tensor] = field(default_factory=dict)
    """Log-likelihoods (M, C) of content-free inputs, for the prompts of the last call."""

    @property
    def tree(self) -> LabelTree:
        """The labels as tokens."""
        return self.labels

    def added(self, examples: Sequence[Example]) -> int:  # noqa: ARG002  # the same for all
        """The inner tokens of all labels."""
        return len(self.labels.tree.tokens)

    def asked(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """With those of content-free inputs, once for each prompt."""
        prompts = super().asked(examples)
        return prompts + self._blank_prompts(self._new(examples)) if self.calibrated else prompts

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What the likelihoods of labels make."""
        if not examples:
            return Predictions([])
        prompts = self.prompter.prompts(examples)
        if self.calibrated:
            scores_NC = self._calibrated(examples, prompts)
        else:
            log_NC = self.engine.label_scores(prompts, self.labels)
            scores_NC = log_NC.double().softmax(-1).numpy()
        return Predictions(self.prompter.task.answers_from(scores_NC), scores_NC)

    def _calibrated(
        self, examples: Sequence[Example], prompts: Sequence[tuple[int, ...]]
    ) -> np.ndarray:
        """Scores (N, C); content-free inputs stand in the same prompt as their example."""
        new = self._new(examples)
        whole = [*prompts, *self._blank_prompts(new)]
        log_XC = self.engine.label_scores(whole, self.labels).double()
        parts = log_XC[len(prompts) :].view(len(new), len(CONTENT_FREE), log_XC.shape[1])
        known = self._blank | {one.prompt: part for one, part in zip(new, parts, strict=True)}
        used = [one.prompt for one in self.prompter.each(examples)]
        self._blank.clear()
        self._blank.update((prompt, known[prompt]) for prompt in used)
        blank_NMC = torch.stack([known[prompt] for prompt in used])
        return calibrate(log_XC[: len(prompts)].numpy(), blank_NMC.numpy())

    def _new(self, examples: Sequence[Example]) -> list[Prompter]:
        """A prompter of each prompt whose content-free inputs were not asked in the last call."""
        each = {one.prompt: one for one in self.prompter.each(examples)}
        return [one for prompt, one in each.items() if prompt not in self._blank]

    def _blank_prompts(self, prompters: Sequence[Prompter]) -> list[tuple[int, ...]]:
        blank = content_free(self.prompter.task.kind.num_texts)
        return [ids for prompter in prompters for ids in prompter.prompts(blank)]


@dataclass(frozen=True)
class Written(Readout):
    """Answers that the model writes, greedily: kept to the grammar of the task, or freely."""

    most: int = 0
    """Most tokens of a free answer; 0: none is free."""
    lengths: Lengths = field(default_factory=Lengths)

    def added(self, examples: Sequence[Example]) -> int:
        """Those of the mean answer; half the limit where a label is written freely."""
        if self.most and not self.prompter.task.kind.is_written:
            return -(-self.most // 2)
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
            read_answer(text, task, part) for text, part in zip(written, parts, strict=True)
        ]
        if not task.kind.has_entities:
            return Predictions(answers, raw=written)
        raw: list[list[str]] = [[] for _ in examples]
        for window, text in zip(windows, written, strict=True):
            raw[window.source].append(text)
        return Predictions(join(windows, answers, examples), raw=["\n".join(each) for each in raw])

    def notes(self) -> dict[str, float]:
        """The mean length of free answers."""
        return self.lengths.notes() if self.most else {}

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
        if not examples:
            return []
        found = self.engine.decode(
            self.prompter.prompts(examples),
            [self._guide(example) for example in examples],
            end=self.prompter.end,
            limits=[self._limit(example) for example in examples],
        )
        self.lengths.add(examples, found)
        read = self.prompter.reply if self.most else self.prompter.text
        return [read(tokens) for tokens in found]

    def _guide(self, example: Example) -> Guide:
        if self.most:
            return Free(ends_of(self.engine.model))
        from textune.engine.guide import GrammarGuide

        task = self.prompter.task
        start = "start: answer\n" if self.prompter.tokenizer.chat_template else _AFTER_SPACE
        return GrammarGuide(self._table, start + task.kind.grammar(example, task.words))

    def _limit(self, example: Example) -> int:
        """Most tokens of an answer: lists of entities are seldom longer than their text."""
        if self.most and not self.prompter.task.kind.is_written:
            return self.most
        return min(2 * self.prompter.own_length(example) + 16, self.prompter.left)


@dataclass(frozen=True)
class Reasoned(Readout):
    """The model reasons first, greedily and freely; then the likelihoods of labels decide.

    Kojima et al., 2022 (Large Language Models are Zero-Shot Reasoners), section 3: the reasoning
    and a cue are put behind the prompt, and the answer is taken from there.
    """

    labels: LabelTree
    most: int
    """Most tokens of a reasoning."""
    lengths: Lengths = field(default_factory=Lengths)

    @property
    def writes(self) -> bool:
        """Before the labels are scored."""
        return True

    def added(self, examples: Sequence[Example]) -> int:  # noqa: ARG002  # the same for all
        """Half the limit of a reasoning."""
        return -(-self.most // 2)

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What the likelihoods of labels make behind each reasoning, which is kept as raw text."""
        if not examples:
            return Predictions([])
        prompter, prompts = self.prompter, self.prompter.prompts(examples)
        guides = [Free(ends_of(self.engine.model)) for _ in examples]
        limits = [self.most] * len(examples)
        found = self.engine.decode(prompts, guides, end=prompter.end, limits=limits)
        self.lengths.add(examples, found)
        reasons = [prompter.reply(tokens) for tokens in found]
        whole = [
            (*prompt, *prompter.reasoning(reason, self.most))
            for prompt, reason in zip(prompts, reasons, strict=True)
        ]
        scores_NC = self.engine.label_scores(whole, self.labels).double().softmax(-1).numpy()
        return Predictions(prompter.task.answers_from(scores_NC), scores_NC, reasons)

    def notes(self) -> dict[str, float]:
        """The mean length of reasonings."""
        return self.lengths.notes()


def training_items(
    prompter: Prompter, examples: Sequence[Example], prompts: Sequence[tuple[int, ...]]
) -> list[Item]:
    """The prompts of examples, each with its gold answer and the end token."""
    return [
        Item(prompt, (*prompter.answer(str(e.answer)), prompter.end))
        for e, prompt in zip(examples, prompts, strict=True)
    ]


def make_readout(
    engine: CausalEngine, prompter: Prompter, *, free: int = 0, calibrated: bool = False
) -> Readout:
    """The readout of a prompter's task.

    Args:
        engine: Runs the model.
        prompter: Makes the prompts; it says whether the model reasons first.
        free: Most tokens that the model writes freely, an answer or a reasoning.
        calibrated: Whether scores of labels are calibrated.

    Raises:
        ConfigError: the tokenizer cannot tell two labels apart.
    """
    is_free = free > 0 and not prompter.reasoned
    if is_free or prompter.task.kind.is_written:
        return Written(engine, prompter, free)
    names = list(prompter.task.labels)
    tree = label_tree([prompter.answer(n) for n in names], prompter.end, names)
    if prompter.reasoned:
        return Reasoned(engine, prompter, tree, free)
    return Scored(engine, prompter, tree, calibrated)
