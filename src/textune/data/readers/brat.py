"""A text and its stand-off annotations (BRAT): ``name.ann`` beside ``name.txt``, or a folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row, text_lines


@dataclass(frozen=True, kw_only=True)
class Brat(Reader):
    """Stand-off annotations: one document, or all documents of a folder in order of their names.

    The fields of a document are ``text``, ``entities`` ([start, end, type] in characters) and
    ``document`` (the name of the file). Lines about relations, events, attributes and notes are
    skipped.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".ann",)
    unit: ClassVar[str] = "document"

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the document, its fields).

        Raises:
            DataError: a text is missing, or a line is no entity of its text; names file and line.
        """
        found = sorted(path.glob("*.ann")) if path.is_dir() else [path]
        for number, annotations in enumerate(found, start=1):
            text = _text(annotations.with_suffix(".txt"))
            entities = [
                _entity(line, text, place=f"{annotations}, line {at}")
                for at, line in text_lines(annotations)
                if line.startswith("T")
            ]
            yield number, {"text": text, "entities": entities, "document": annotations.stem}


def _text(path: Path) -> str:
    return "".join(line for _, line in text_lines(path))


def _entity(line: str, text: str, *, place: str) -> list[object]:
    """``T1<tab>Type start end<tab>surface``."""
    name, _, rest = line.rstrip("\r\n").partition("\t")
    described, _, surface = rest.partition("\t")
    parts = described.split()
    if ";" in described:
        hint = "split it into entities of their own, or leave it out"
        raise DataError(f"{place}: {name} has several parts", hint=hint)
    if len(parts) != 3 or not all(part.isdecimal() for part in parts[1:]):
        hint = "T1, a tab, type, start and end with spaces between them, a tab, the words"
        raise DataError(f"{place}: no entity: {line.strip()!r}", hint=hint)
    type, start, end = parts[0], int(parts[1]), int(parts[2])
    words = text[start:end]
    same = not surface or " ".join(words.split()) == " ".join(surface.split())
    if end > len(text) or not same:
        raise DataError(
            f"{place}: {name} is {surface!r}, the text has {words!r} at {start} to {end}",
            hint="offsets count characters of the .txt file beside it, from 0",
        )
    return [start, end, type]
