"""Entity: a typed stretch of a text; and how the entities of a text are written as an answer.

An answer is text everywhere, so that records, predictions and tests need to know no form. The
entities of a text are written as JSON, one way only: two answers are the same exactly when their
strings are.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from textune.core.errors import DataError
from textune.data.examples import Answer


@dataclass(frozen=True, order=True, slots=True)
class Entity:
    """Characters ``start`` to before ``end`` of a text."""

    start: int
    end: int
    type: str
    surface: str
    """The characters themselves."""


def entity(text: str, start: int, end: int, type: str) -> Entity:
    """An entity of a text.

    Raises:
        DataError: the offsets lie outside of the text, or hold nothing.
    """
    if not 0 <= start < end <= len(text):
        raise DataError(
            f"an entity from {start} to {end} in a text of {len(text)} characters",
            hint="offsets count characters from 0, the end is the first one after the entity",
        )
    return Entity(start, end, type, text[start:end])


def write_entities(entities: Iterable[Entity]) -> Answer:
    """The answer that these entities are: sorted, each once."""
    rows = [[e.start, e.end, e.type, e.surface] for e in sorted(set(entities))]
    return json.dumps(rows, ensure_ascii=False)


def read_entities(answer: Answer) -> tuple[Entity, ...]:
    """What ``write_entities`` wrote."""
    return tuple(Entity(*row) for row in json.loads(answer))
