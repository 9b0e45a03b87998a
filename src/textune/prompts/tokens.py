"""Prompter: examples of a task as token lists for one model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from textune.data.cutting import cut_to
from textune.data.examples import Answer, Example
from textune.prompts.template import Prompt, answer_text, build_prompt
from textune.tasks.base import TaskSpec

WRITTEN = 0.25
"""Share of the context that is kept for an answer which the model writes."""


@dataclass(frozen=True)
class Prompter:
    """Turns examples into prompts of one task, with these demonstrations, for one tokenizer.

    A prompt is tokenised whole, as any other program would, so what training sees is what serving
    sends. Inputs that do not fit the context are cut around the task's marks, else at their end.
    """

    task: TaskSpec
    tokenizer: Any
    prompt: Prompt
    room: int
    """Most tokens of a prompt: the model's context less what answers may take."""
    left: int
    """Most tokens of an answer, with its end."""

    def prompts(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Token lists in the order of the examples.

        Raises:
            DataError: the instruction alone does not fit the context.
        """
        marks = self.task.data.marks
        return [
            ids
            if len(ids) <= self.room
            else self._whole([cut_to(e, self.room, self.length, marks)])[0]
            for e, ids in zip(examples, self._whole(examples), strict=True)
        ]

    def answer(self, answer: Answer) -> tuple[int, ...]:
        """Tokens that the model writes for an answer, without the end token."""
        return self._ids([answer_text(self.task, answer, self.tokenizer)])[0]

    def text(self, tokens: Sequence[int]) -> str:
        """What the model has written."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def length(self, example: Example) -> int:
        """Tokens of the whole prompt, cut or not."""
        return len(self._whole([example])[0])

    def fits(self, example: Example) -> bool:
        """Whether the prompt needs no cut."""
        return self.length(example) <= self.room

    def own_length(self, example: Example) -> int:
        """Tokens of the texts alone."""
        return sum(map(len, self._ids(list(example.texts))))

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many inputs do not fit the context."""
        return sum(len(ids) > self.room for ids in self._whole(examples))

    def _whole(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        return self._ids([self.prompt.text(self.task.kind.input_text(e)) for e in examples])

    def _ids(self, texts: list[str]) -> list[tuple[int, ...]]:
        if not texts:
            return []
        return [tuple(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]


def make_prompter(
    task: TaskSpec, demonstrations: Sequence[Example], tokenizer: Any, *, context: int
) -> Prompter:
    """The prompter of a task for a model with that context length (tokens)."""
    prompt = build_prompt(task, demonstrations, tokenizer)
    draft = Prompter(task, tokenizer, prompt, room=context, left=0)
    if task.kind.is_written:
        left = int(context * WRITTEN)
    else:
        left = max(len(draft.answer(label)) for label in task.labels) + 1
    return replace(draft, room=context - left, left=left)
