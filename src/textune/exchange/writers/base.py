"""Writer: examples of a task as the text of one file."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from textune.core.registry import Plugin, Registry
from textune.data.examples import Example
from textune.tasks.base import Columns, TaskSpec


@dataclass(frozen=True, kw_only=True)
class Writer(Plugin, ABC):
    """Writes one file format; what it is called is also what reads it."""

    ending: ClassVar[str]
    """Ending of its files."""
    needs_entities: ClassVar[bool] = False
    """Whether it writes nothing but entities."""
    listed: ClassVar[Mapping[str, Any] | None] = None
    """How LLaMA-Factory is told to read it, the file's name apart; None: it does not."""

    @abstractmethod
    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """The content of the file, in order."""

    def columns(self, task: TaskSpec) -> Columns | None:
        """Where its reader finds the same examples again; None: it holds prompts, not texts."""
        return None


REGISTRY = Registry("textune.exchange.writers", Writer, noun="format to write")


def json_line(record: object) -> str:
    """One line of JSON."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def json_array(records: Iterator[object]) -> Iterator[str]:
    """A JSON array, a record a line."""
    before = "[\n"
    for record in records:
        yield before + json.dumps(record, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
