"""Instruction records with ``instruction``, ``input`` and ``output``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textune.data.examples import Example
from textune.exchange.prompts import conversation
from textune.exchange.writers.base import Writer, json_array
from textune.prompts.template import instruction_text
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Alpaca(Writer):
    """Instruction records: the task's instruction, the input, the answer's word."""

    ending: ClassVar[str] = ".json"
    listed: ClassVar[Mapping[str, Any] | None] = {
        "formatting": "alpaca",
        "columns": {"prompt": "instruction", "query": "input", "response": "output"},
    }

    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """A JSON array, a record a line."""
        return json_array(
            {
                "instruction": instruction_text(task),
                "input": task.kind.input_text(example),
                "output": conversation(task, example)[-1]["content"],
            }
            for example in examples
        )
