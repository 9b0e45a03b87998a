"""Conversations: what a model is sent that takes chat messages, and what its text means."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from textune.data.examples import Answer, Example
from textune.prompts.choosers.base import Matcher
from textune.prompts.reading import read_answer
from textune.prompts.template import messages
from textune.prompts.wording import Wording
from textune.tasks.base import TaskSpec

THOUGHT_END = "</think>"
"""What models of many makers write between a reasoning of their own accord and the answer."""
_CUE = re.compile(r"\banswer(?: is)?\W*:", re.IGNORECASE)


@dataclass(frozen=True)
class Conversations:
    """The conversations of one task, with everything but the example settled."""

    task: TaskSpec
    match: Matcher | None
    """Who is shown which demonstrations; None: nobody any."""
    wording: Wording
    reasoned: bool
    """Whether the model is told to reason before it answers."""

    def of(self, examples: Sequence[Example]) -> list[list[dict[str, str]]]:
        """The messages of each example, up to the one that the model writes."""
        shown = self.match(examples) if self.match else [()] * len(examples)
        return [
            messages(
                self.task,
                demonstrations,
                self.task.kind.input_text(example),
                self.wording,
                reasoned=self.reasoned,
            )
            for example, demonstrations in zip(examples, shown, strict=True)
        ]

    def read(self, text: str, example: Example) -> Answer | None:
        """The answer that a model wrote; None where it cannot be read.

        A reasoning is no answer: what follows the last ``Answer:`` is, or else the last line.
        """
        said = text.rpartition(THOUGHT_END)[2].strip()
        if self.reasoned:
            said = _CUE.split(said)[-1].strip() if _CUE.search(said) else said.rpartition("\n")[2]
        return read_answer(said, self.task, example)
