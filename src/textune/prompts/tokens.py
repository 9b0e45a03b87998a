"""Prompter: examples of a task as token lists for one model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from textune.core.errors import DataError
from textune.data.examples import Answer, Example
from textune.prompts.template import Prompt, answer_text, build_prompt
from textune.tasks.base import TaskSpec

WRITTEN = 0.25
"""Share of the context that is kept for an answer which the model writes."""


@dataclass(frozen=True)
class Prompter:
    """Turns examples into prompts of one task, with these demonstrations, for one tokenizer.

    A prompt is tokenised whole, as any other program would, so what training sees is what serving
    sends. Inputs that do not fit the context are cut at their end.
    """

    task: TaskSpec
    tokenizer: Any
    prompt: Prompt
    room: int
    """Most tokens of a prompt: the model's context less what answers may take."""
    left: int
    """Most tokens of an answer, with its end."""

    def prompts(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Token lists in the order of the examples."""
        texts = [self.prompt.text(self.task.kind.input_text(e)) for e in examples]
        found = self._ids(texts)
        return [
            ids if len(ids) <= self.room else self._cut(example, len(ids))
            for example, ids in zip(examples, found, strict=True)
        ]

    def answer(self, answer: Answer) -> tuple[int, ...]:
        """Tokens that the model writes for an answer, without the end token."""
        return self._ids([answer_text(self.task, answer, self.tokenizer)])[0]

    def text(self, tokens: Sequence[int]) -> str:
        """What the model has written."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def length(self, text: str) -> int:
        """Tokens of a text alone."""
        return len(self._ids([text])[0])

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many inputs do not fit the context."""
        texts = [self.prompt.text(self.task.kind.input_text(e)) for e in examples]
        return sum(len(ids) > self.room for ids in self._ids(texts))

    def _ids(self, texts: list[str]) -> list[tuple[int, ...]]:
        if not texts:
            return []
        return [tuple(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]

    def _cut(self, example: Example, length: int) -> tuple[int, ...]:
        """Shorten the longest text until the prompt fits."""
        texts = list(example.texts)
        ids: tuple[int, ...] = ()
        while length > self.room:
            longest = max(range(len(texts)), key=lambda i: len(texts[i]))
            keep = int(len(texts[longest]) * min(0.95, self.room / length)) - 1
            if keep <= 0:
                raise DataError(
                    f"example {example.id}: the instruction alone has more than the "
                    f"{self.room} tokens that the model can read",
                    hint="fewer demonstrations, shorter definitions, or another model",
                )
            texts[longest] = texts[longest][:keep]
            shorter = Example(example.id, tuple(texts))
            ids = self._ids([self.prompt.text(self.task.kind.input_text(shorter))])[0]
            length = len(ids)
        return ids


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
