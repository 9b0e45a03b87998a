"""Two texts, a number on a scale: how alike, how related, how fitting they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor
from typing import ClassVar

from textune.data.examples import Answer, Example
from textune.data.sources import AnswerForm
from textune.tasks.kinds.base import Kind


@dataclass(frozen=True, kw_only=True)
class Grade(Kind):
    """Two texts, a number on a scale; the labels are the whole numbers of the scale.

    Models tell the labels apart and answer with the mean of the numbers, weighted by their scores;
    in training an example has the label that is nearest to its number.
    """

    num_texts: ClassVar[int] = 2
    share_right: ClassVar[str] = "answers nearest to the right whole number"
    metrics: ClassVar[str] = "grades"
    primary_metric: ClassVar[str] = "pearson"
    answer_form: ClassVar[AnswerForm] = "number"

    def input_text(self, example: Example) -> str:
        """Two numbered lines."""
        return f"Text 1: {example.texts[0]}\nText 2: {example.texts[1]}"

    def joined_text(self, example: Example) -> str:
        """Both texts, with a line break between them."""
        return f"{example.texts[0]}\n{example.texts[1]}"

    def label_of(self, answer: Answer) -> str:
        """The nearest whole number; of two the higher."""
        return str(floor(float(answer) + 0.5))

    def answer_from(self, scores: Sequence[float], labels: Sequence[str]) -> Answer:
        """The expected number, with three decimals."""
        expected = sum(score * int(label) for score, label in zip(scores, labels, strict=True))
        return f"{expected:.3f}"

    def asked(self, num_labels: int) -> str:
        """A number."""
        return f"a pair of texts gets a number on a scale of {num_labels} steps"

    def check_labels(self, labels: list[str], positive: str | None) -> str | None:
        """They are whole numbers in order, without gaps."""
        if positive is not None:
            return "a scale has no positive label"
        try:
            numbers = [int(label) for label in labels]
        except ValueError:
            return "the labels of a scale are whole numbers"
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            return "the labels of a scale are whole numbers in order, without gaps"
        return None
