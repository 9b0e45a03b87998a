"""Entity: a typed stretch of a text; and how the entities of a text are written as an answer.

An answer is text everywhere, so that records, predictions and tests need to know no form. The
entities of a text are written as JSON, one way only: two answers are the same exactly when their
strings are.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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


def entity_cells(value: object, column: str) -> list[tuple[int, int, str]]:
    """Start, end and type of each entity that a cell lists.

    An entity is [start, end, type] or a mapping with ``start``, ``end`` and ``type`` or ``label``;
    the list may also be JSON in a string, as in CSV files. An empty cell lists none.

    Raises:
        DataError: the cell holds something else.
    """
    try:
        listed = json.loads(value or "[]") if isinstance(value, str) else value or []
        return [_parts(each) for each in _checked(listed, list)]
    except (ValueError, TypeError, KeyError):
        raise DataError(
            f"the column {column!r} lists no entities",
            hint="write a list of [start, end, type], or of mappings with start, end and type",
        ) from None


def _parts(each: Any) -> tuple[int, int, str]:
    if isinstance(each, dict):
        each = [each["start"], each["end"], each.get("type", each.get("label"))]
    start, end, kind = each
    return _checked(start, int), _checked(end, int), _checked(kind, str)


def _checked(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def write_entities(entities: Iterable[Entity]) -> Answer:
    """The answer that these entities are: sorted, each once."""
    rows = [[e.start, e.end, e.type, e.surface] for e in sorted(set(entities))]
    return json.dumps(rows, ensure_ascii=False)


def read_entities(answer: Answer) -> tuple[Entity, ...]:
    """What ``write_entities`` wrote."""
    return tuple(Entity(*row) for row in json.loads(answer))
