"""Entities as a language model writes them: a line for each, its type and its words.

The model writes no offsets, so reading looks the words up in the text again: in the order in which
they were written, each stretch of text once.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence

from textune.data.entities import Entity, entity

NONE = "none"
"""What is written where there are no entities."""
_CHUNK = re.compile(r"\w+|\s+|[^\w\s]")


def write_lines(entities: Iterable[Entity], words: Mapping[str, str]) -> str:
    """``word: surface`` for each entity, in order of the text; ``words`` stand for types."""
    lines = [f"{words[e.type]}: {_flat(e.surface)}" for e in sorted(entities)]
    return "\n".join(lines) or NONE


def read_lines(written: str, text: str, words: Mapping[str, str]) -> list[Entity] | None:
    """The entities that such lines name.

    A line that is of another form, or whose words do not occur (again) in the text, names none.
    None where no line can be read.
    """
    if written.strip() == NONE:
        return []
    named = [line for line in (_parsed(row, words) for row in written.splitlines()) if line]
    return _aligned(text, named) if named else None


def lines_grammar(text: str, words: Mapping[str, str]) -> str:
    """All lines that can be read: a rule ``answer`` in the grammar of ``llguidance``.

    Surfaces begin and end with a word or a sign of the text.
    """
    chunks = json.dumps(_CHUNK.findall(_flat(text)), ensure_ascii=False)
    types = " | ".join(json.dumps(f"{word}: ", ensure_ascii=False) for word in words.values())
    return (
        f'answer: "{NONE}" | line ("\\n" line)*\n'
        "line: TYPE SURFACE\n"
        f"TYPE: {types}\n"
        f'PART: %regex {{"substring_chunks": {chunks}}}\n'
        "SURFACE: PART & /[^ ](.*[^ ])?/\n"
    )


def _flat(text: str) -> str:
    """Every white character as a space, so that a surface fits a line and offsets stay."""
    return re.sub(r"\s", " ", text)


def _parsed(line: str, words: Mapping[str, str]) -> tuple[str, str] | None:
    """Type and surface of a line."""
    for type, word in words.items():
        surface = line.strip().removeprefix(f"{word}: ").strip()
        if surface and line.strip().startswith(f"{word}: "):
            return type, surface
    return None


def _aligned(text: str, named: Sequence[tuple[str, str]]) -> list[Entity]:
    """Each surface at its next place that is not taken, else at its first one."""
    flat = _flat(text)
    found: list[Entity] = []
    taken: set[tuple[int, int]] = set()
    reached = 0
    for type, surface in named:
        size = len(surface)
        free = [p for p in _places(flat, surface) if (p, p + size) not in taken]
        if free:
            start = next((p for p in free if p >= reached), free[0])
            taken.add((start, start + size))
            found.append(entity(text, start, start + size, type))
            reached = start
    return found


def _places(text: str, surface: str) -> list[int]:
    """Where a surface begins, as whole words if it ever occurs so."""
    bounds = {0, *(chunk.end() for chunk in _CHUNK.finditer(text))}
    found = [m.start() for m in re.finditer(f"(?={re.escape(surface)})", text)]
    whole = [p for p in found if p in bounds and p + len(surface) in bounds]
    return whole or found
