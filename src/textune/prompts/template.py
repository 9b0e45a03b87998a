"""Task and example -> chat messages -> one text, cut where the shared prefix may end.

Demonstrations are turns of the same conversation: what the model sees of them is exactly what it
would have seen and written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textune.core.errors import ModelError
from textune.data.examples import Answer, Example
from textune.prompts.wording import DEFAULT, Wording
from textune.tasks.base import TaskSpec

REVISION = 2
"""Raised when the wording changes; part of every fingerprint that reads prompts."""

REASON = "Think step by step first, then give the answer: one of these."
"""How the answer is to be written where the model reasons first."""
CUE = "\n\nAnswer:"
"""Ends a reasoning; the answer follows, with a space before it."""

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


def instruction_text(task: TaskSpec, wording: Wording = DEFAULT, *, reasoned: bool = False) -> str:
    """The instruction, the labels with their definitions, and the form of the answer."""
    lines = [(wording.instruction or task.instruction).strip(), "", task.kind.asks_for]
    labels = list(task.labels.items())
    for label, definition in labels if wording.order == "task" else reversed(labels):
        shown = definition and wording.definitions
        lines.append(f"- {task.words[label]}: {definition}" if shown else f"- {task.words[label]}")
    return "\n".join([*lines, "", REASON if reasoned else task.kind.form])


def messages(
    task: TaskSpec,
    demonstrations: Sequence[Example],
    input_text: str,
    wording: Wording = DEFAULT,
    *,
    reasoned: bool = False,
) -> list[dict[str, str]]:
    """The conversation: demonstrations are turns, the instruction opens the first user turn.

    With ``wording.place`` ``after`` it closes the last one instead.
    """
    turns: list[dict[str, str]] = []
    for example in demonstrations:
        assert example.answer is not None, "a demonstration without answer"
        turns.append({"role": "user", "content": task.kind.input_text(example)})
        written = task.kind.written(example.answer, task.words)
        turns.append({"role": "assistant", "content": written})
    turns.append({"role": "user", "content": input_text})
    instruction = instruction_text(task, wording, reasoned=reasoned)
    if wording.place == "before":
        turns[0]["content"] = f"{instruction}\n\n{turns[0]['content']}"
    else:
        turns[-1]["content"] = f"{turns[-1]['content']}\n\n{instruction}"
    return turns


def build_prompt(
    task: TaskSpec,
    demonstrations: Sequence[Example],
    tokenizer: Any,
    wording: Wording = DEFAULT,
    *,
    reasoned: bool = False,
) -> Prompt:
    """The prompt of a task for one model: its chat template, or plain text where it has none.

    Raises:
        ModelError: the chat template cannot take the conversation.
    """
    turns = messages(task, demonstrations, _HOLE, wording, reasoned=reasoned)
    if tokenizer.chat_template is None:
        cue = "Reasoning:" if reasoned else "Answer:"
        text = f"{_opening(tokenizer)}{_plain_text(turns, cue)}"
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


def answer_text(task: TaskSpec, answer: Answer, tokenizer: Any, *, after_cue: bool = False) -> str:
    """What the model writes for an answer; a space stands before it after ``Answer:``."""
    written = task.kind.written(answer, task.words)
    opens_turn = tokenizer.chat_template and not after_cue
    return written if opens_turn else f" {written}"


def _opening(tokenizer: Any) -> str:
    """The token that the tokenizer puts before plain text; without it some models go astray."""
    start = getattr(tokenizer, "bos_token_id", None)
    if start is None or tokenizer("a")["input_ids"][0] != start:
        return ""
    return str(tokenizer.bos_token)


def _plain_text(turns: Sequence[dict[str, str]], cue: str) -> str:
    """For base models without a chat template: inputs and answers under each other."""
    parts = []
    for turn in turns:
        is_user = turn["role"] == "user"
        parts.append(f"{turn['content']}\n{cue}" if is_user else f" {turn['content']}\n\n")
    return "".join(parts)
