"""Conversations with turns ``{"from": "human", "value": ...}``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textune.data.chat import SHAREGPT
from textune.data.examples import Example
from textune.exchange.prompts import conversation
from textune.exchange.writers.base import Writer, json_array
from textune.tasks.base import TaskSpec

SPEAKERS = {"user": SHAREGPT.user, "assistant": SHAREGPT.assistant}


@dataclass(frozen=True, kw_only=True)
class Sharegpt(Writer):
    """Conversations as ShareGPT has them: the prompt, then the answer's word."""

    ending: ClassVar[str] = ".json"
    listed: ClassVar[Mapping[str, Any] | None] = {
        "formatting": "sharegpt",
        "columns": {"messages": SHAREGPT.turns},
        "tags": {
            "role_tag": SHAREGPT.role,
            "content_tag": SHAREGPT.words,
            "user_tag": SHAREGPT.user,
            "assistant_tag": SHAREGPT.assistant,
        },
    }

    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """A JSON array, a conversation a line."""
        return json_array({SHAREGPT.turns: _turns(task, example)} for example in examples)


def _turns(task: TaskSpec, example: Example) -> list[dict[str, str]]:
    return [
        {SHAREGPT.role: SPEAKERS[turn["role"]], SHAREGPT.words: turn["content"]}
        for turn in conversation(task, example)
    ]
