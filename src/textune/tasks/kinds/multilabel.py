"""One text, any number of labels out of a closed set."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from textune.data.examples import Answer, Example
from textune.data.label_sets import read_labels, write_labels
from textune.data.sources import AnswerForm
from textune.tasks.kinds.base import Kind

NONE = "none"
"""What a language model writes where no label applies."""


@dataclass(frozen=True, kw_only=True)
class MultiLabel(Kind):
    """One text, any number of labels out of a closed set; each applies or not."""

    num_texts: ClassVar[int] = 1
    answer_form: ClassVar[AnswerForm] = "labels"
    is_written: ClassVar[bool] = True
    form: ClassVar[str] = (
        "Answer with all that apply, each on a line of its own, in this order. "
        f"Answer {NONE} if none applies."
    )
    share_right: ClassVar[str] = "exact matches"
    metrics: ClassVar[str] = "label_sets"
    primary_metric: ClassVar[str] = "macro_f1"

    def input_text(self, example: Example) -> str:
        """``Text: ...``."""
        return f"Text: {example.texts[0]}"

    def joined_text(self, example: Example) -> str:
        """The text itself."""
        return example.texts[0]

    def written(self, answer: Answer, words: Mapping[str, str]) -> str:
        """A line for each label, in the task's order."""
        named = read_labels(answer)
        return "\n".join(word for label, word in words.items() if label in named) or NONE

    def grammar(self, example: Example, words: Mapping[str, str]) -> str:  # noqa: ARG002  # the same for all
        """Such lines; a rule for what may follow each label."""
        rules = [f'answer: "{NONE}" | from_0']
        quoted = [json.dumps(word, ensure_ascii=False) for word in words.values()]
        for place, word in enumerate(quoted):
            is_last = place == len(quoted) - 1
            after = "" if is_last else f' ("\\n" from_{place + 1})? | from_{place + 1}'
            rules.append(f"from_{place}: {word}{after}")
        return "\n".join(rules) + "\n"

    def read(
        self,
        written: str,
        example: Example,  # noqa: ARG002  # lines say it all
        words: Mapping[str, str],
    ) -> Answer | None:
        """The labels of all lines that are one; None where no line is."""
        by_word = {word.strip().lower(): label for label, word in words.items()}
        lines = [line.strip().lower() for line in written.splitlines()]
        named = [by_word[line] for line in lines if line in by_word]
        return write_labels(named) if named or lines == [NONE] else None

    def answer_from(self, scores: Sequence[float], labels: Sequence[str]) -> Answer:
        """Every label whose score is a half or more."""
        pairs = zip(scores, labels, strict=True)
        return write_labels(label for score, label in pairs if score >= 0.5)

    def confidence(self, answer: Answer, scores: Mapping[str, float]) -> float:
        """That every label is right, taken one by one."""
        named = read_labels(answer)
        return prod(score if label in named else 1 - score for label, score in scores.items())

    def labels_in(self, answer: Answer) -> tuple[str, ...]:
        """All of them."""
        return read_labels(answer)

    def stratum(self, answer: Answer) -> str:
        """The first label, or none: whole sets often occur once."""
        return next(iter(read_labels(answer)), NONE)

    def demonstrated(self, labels: Sequence[str]) -> list[str]:  # noqa: ARG002  # any may have more
        """Any texts."""
        return []

    def asked(self, num_labels: int) -> str:
        """Labels."""
        return f"a text gets any number of {num_labels} labels"

    def shown(self, answer: Answer) -> str:
        """Their names."""
        return ", ".join(read_labels(answer)) or "no label"

    def check_labels(self, labels: list[str], positive: str | None) -> str | None:
        """No label is the positive one: each is, for itself."""
        del labels
        return "several labels have no positive one" if positive is not None else None
