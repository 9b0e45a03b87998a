"""Tagged tokens, one a line, with an empty line after each sentence."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from textune.data.entities import Entity, read_entities
from textune.data.examples import Example
from textune.data.tags import tags_of
from textune.exchange.writers.base import Writer
from textune.tasks.base import Columns, TaskSpec


@dataclass(frozen=True, kw_only=True)
class Conll(Writer):
    """Tokens with IOB2 tags; of overlapping entities only the outermost.

    Tokens are what stands between spaces, cut where an entity begins or ends: read again, texts
    have single spaces between tokens. Sentences of one group make one document.
    """

    ending: ClassVar[str] = ".conll"
    needs_entities: ClassVar[bool] = True

    def pieces(self, task: TaskSpec, examples: Sequence[Example]) -> Iterator[str]:
        """A line before each document, then its sentences."""
        has_groups = any(example.group for example in examples)
        before: str | None = None
        for example in _by_document(examples):
            if has_groups and (example.group is None or example.group != before):
                yield "-DOCSTART-\tO\n\n"
            before = example.group
            yield _sentence(example)

    def columns(self, task: TaskSpec) -> Columns:
        """Those of the reader of such files."""
        group = "document" if task.data.columns.group else None
        return Columns(text="text", answer="entities", group=group)


def _by_document(examples: Sequence[Example]) -> list[Example]:
    """The examples with those of one group together, else in their order."""
    first: dict[str, int] = {}
    for place, example in enumerate(examples):
        first.setdefault(example.group or example.id, place)
    return sorted(examples, key=lambda example: first[example.group or example.id])


def _sentence(example: Example) -> str:
    (text,) = example.texts
    entities = read_entities(example.answer or "[]")
    words = _words(text, entities)
    tags = tags_of(words, entities)
    lines = [f"{text[start:end]}\t{tag}\n" for (start, end), tag in zip(words, tags, strict=True)]
    return "".join([*lines, "\n"])


def _words(text: str, entities: Sequence[Entity]) -> list[tuple[int, int]]:
    """Stretches without spaces, cut at the bounds of entities, by their characters."""
    bounds = sorted({bound for each in entities for bound in (each.start, each.end)})
    words: list[tuple[int, int]] = []
    for match in re.finditer(r"\S+", text):
        inner = [bound for bound in bounds if match.start() < bound < match.end()]
        edges = [match.start(), *inner, match.end()]
        words += pairwise(edges)
    return words
