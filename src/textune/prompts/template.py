"""Task and example -> chat messages -> one text, cut where the shared prefix may end.

Demonstrations are turns of the same conversation: what the model sees of them is exactly what it
would have seen and written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textune.core.errors import ModelError
from textune.data.examples import Answer, Example
from textune.tasks.base import TaskSpec

REVISION = 1
"""Raised when the wording changes; part of every fingerprint that reads prompts."""

_HINT = "choose another model, or mend its chat template"
_HOLE = "\u241etextune\u241e"


@dataclass(frozen=True)
class Prompt:
    """A conversation up to the point where the model answers, with one hole for the input."""

    before: str
    after: str

    def text(self, input_text: str) -> str:
        """The whole prompt for one input."""
        return f"{self.before}{input_text}{self.after}"


def instruction_text(task: TaskSpec) -> str:
    """The instruction, the labels with their definitions, and the form of the answer."""
    lines = [task.instruction.strip(), "", task.kind.asks_for]
    for label, definition in task.labels.items():
        lines.append(
            f"- {task.words[label]}: {definition}" if definition else f"- {task.words[label]}"
        )
    return "\n".join([*lines, "", task.kind.form])


def messages(
    task: TaskSpec, demonstrations: Sequence[Example], input_text: str
) -> list[dict[str, str]]:
    """The conversation: the instruction opens the first user turn, demonstrations are turns."""
    turns: list[dict[str, str]] = []
    for example in demonstrations:
        assert example.answer is not None, "a demonstration without answer"
        turns.append({"role": "user", "content": task.kind.input_text(example)})
        written = task.kind.written(example.answer, task.words)
        turns.append({"role": "assistant", "content": written})
    turns.append({"role": "user", "content": input_text})
    turns[0]["content"] = f"{instruction_text(task)}\n\n{turns[0]['content']}"
    return turns


def build_prompt(task: TaskSpec, demonstrations: Sequence[Example], tokenizer: Any) -> Prompt:
    """The prompt of a task for one model: its chat template, or plain text where it has none.

    Raises:
        ModelError: the chat template cannot take the conversation.
    """
    turns = messages(task, demonstrations, _HOLE)
    if tokenizer.chat_template is None:
        text = _plain_text(turns)
    else:
        try:
            text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except Exception as error:
            reason = str(error).split("\n")[0]
            raise ModelError(f"the model's chat template fails: {reason}", hint=_HINT) from error
    before, hole, after = text.partition(_HOLE)
    if not hole or _HOLE in after:
        what = "the model's chat template does not show the user's text exactly once"
        raise ModelError(what, hint=_HINT)
    return Prompt(before, after)


def answer_text(task: TaskSpec, answer: Answer, tokenizer: Any) -> str:
    """What the model writes for an answer; plain text needs the space after ``Answer:``."""
    written = task.kind.written(answer, task.words)
    return written if tokenizer.chat_template else f" {written}"


def _plain_text(turns: Sequence[dict[str, str]]) -> str:
    """For base models without a chat template: inputs and answers under each other."""
    parts = []
    for turn in turns:
        is_user = turn["role"] == "user"
        parts.append(f"{turn['content']}\nAnswer:" if is_user else f" {turn['content']}\n\n")
    return "".join(parts)
