"""Kind: what is predicted, what the input looks like, which metrics judge it."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.core.registry import Plugin, Registry
from textune.data.examples import Answer, Example
from textune.data.sources import AnswerForm


@dataclass(frozen=True, kw_only=True)
class Kind(Plugin, ABC):
    """One sort of text-understanding task."""

    num_texts: ClassVar[int]
    """How many texts an example has."""
    min_labels: ClassVar[int] = 2
    """Fewest labels of a task."""
    answer_form: ClassVar[AnswerForm] = "label"
    """What an answer is."""
    asks_for: ClassVar[str] = "Possible answers:"
    """What the labels are, as a prompt says above their list."""
    form: ClassVar[str] = "Answer with one of these and nothing else."
    """How the answer is to be written, as a prompt says below them."""
    is_written: ClassVar[bool] = False
    """Whether a language model writes the answer; else the labels are all answers, and scored."""
    share_right: ClassVar[str] = "accuracy"
    """What the share of examples is called whose answer is right."""
    metrics: ClassVar[str] = "label"
    """How answers are judged: a module of ``textune.evaluation.metrics``."""
    primary_metric: ClassVar[str]
    """The metric that ranks approaches, one of those."""
    primary_with_positive: ClassVar[str | None] = None
    """The same for tasks with a positive label, where it is another one."""

    @property
    def has_entities(self) -> bool:
        """Whether an answer is the entities of a text."""
        return self.answer_form == "entities"

    @property
    def is_exclusive(self) -> bool:
        """Whether one label excludes the others, so that scores of labels sum to one."""
        return self.answer_form != "labels"

    @property
    def is_graded(self) -> bool:
        """Whether an answer is a number between the first label and the last."""
        return self.answer_form == "number"

    @abstractmethod
    def input_text(self, example: Example) -> str:
        """The input as it stands in a prompt, without instruction and answer."""

    @abstractmethod
    def joined_text(self, example: Example) -> str:
        """The input as one plain text, for approaches that read no prompt."""

    def turned(self, example: Example) -> Example | None:  # noqa: ARG002  # for others
        """The example in another form that must have the same answer; None where there is none."""
        return None

    def label_of(self, answer: Answer) -> str:
        """The label that an answer has where labels are told apart."""
        return answer

    def answer_from(self, scores: Sequence[float], labels: Sequence[str]) -> Answer:
        """The answer that scores (C) of the labels make."""
        return max(zip(scores, labels, strict=True), key=lambda pair: pair[0])[1]

    def confidence(self, answer: Answer, scores: Mapping[str, float]) -> float:
        """What the scores of labels give an answer."""
        return scores[self.label_of(answer)]

    def is_right(self, answer: Answer | None, gold: Answer) -> bool:
        """Whether an answer is right, where right and wrong are told apart."""
        return answer is not None and self.label_of(answer) == self.label_of(gold)

    def labels_in(self, answer: Answer) -> tuple[str, ...]:
        """The labels that an answer names."""
        return (self.label_of(answer),)

    def written(self, answer: Answer, words: Mapping[str, str]) -> str:
        """What a language model writes for an answer; ``words`` stand for the labels."""
        return words[self.label_of(answer)]

    def grammar(self, example: Example, words: Mapping[str, str]) -> str:  # noqa: ARG002  # for others
        """All that may be written for an example: a rule ``answer`` as ``llguidance`` reads it."""
        each = " | ".join(json.dumps(word, ensure_ascii=False) for word in words.values())
        return f"answer: {each}\n"

    def read(
        self,
        written: str,
        example: Example,  # noqa: ARG002  # for others
        words: Mapping[str, str],
    ) -> Answer | None:
        """The answer that a language model wrote; None where it cannot be read."""
        by_word = {word.strip().lower(): label for label, word in words.items()}
        return by_word.get(written.strip().lower())

    def demonstrated(self, labels: Sequence[str]) -> list[str]:
        """Strata that demonstrations are drawn from, in equal numbers."""
        return list(labels)

    def asked(self, num_labels: int) -> str:
        """What is predicted, in a clause."""
        texts = "a pair of texts" if self.num_texts == 2 else "a text"
        return f"{texts} gets one of {num_labels} labels"

    def shown(self, answer: Answer) -> str:
        """An answer for people."""
        return answer

    def stratum(self, answer: Answer) -> str:
        """What parts of the data should hold equal shares of."""
        return self.label_of(answer)

    def check_labels(self, labels: list[str], positive: str | None) -> str | None:
        """What is wrong with a task's labels for this kind, or None."""
        if positive is not None and positive not in labels:
            return f"the positive label {positive!r} is not one of the labels"
        return None


REGISTRY = Registry("textune.tasks.kinds", Kind, noun="kind")
