"""Chat messages with turns ``{"role": "user", "content": ...}``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textune.data.chat import MESSAGES
from textune.data.examples import Example
from textune.exchange.prompts import conversation
from textune.exchange.writers.base import Writer, json_line
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Messages(Writer):
    """Chat messages as OpenAI has them: the prompt, then the answer's word."""

    ending: ClassVar[str] = ".jsonl"
    listed: ClassVar[Mapping[str, Any] | None] = {
        "formatting": "sharegpt",
        "columns": {"messages": MESSAGES.turns},
        "tags": {
            "role_tag": MESSAGES.role,
            "content_tag": MESSAGES.words,
            "user_tag": MESSAGES.user,
            "assistant_tag": MESSAGES.assistant,
            "system_tag": MESSAGES.system,
        },
    }

    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """A conversation a line."""
        return (json_line({MESSAGES.turns: conversation(task, each)}) for each in examples)
