"""spaCy's binary files of annotated documents; needs the package ``msgpack``, not spaCy."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row, cannot_read
from textune.data.spacy_strings import NUMBERED, by_number
from textune.data.tags import spans_of

LETTERS = {1: "I", 3: "B"}
"""What ``ENT_IOB`` says of tokens inside of an entity; 2 is outside, 0 is not annotated."""
COLUMNS = ("ORTH", "ENT_IOB", "ENT_TYPE")
CHOSEN = 0.5
"""From this score on a category counts as given, as in spaCy."""


@dataclass(frozen=True, kw_only=True)
class Docbin(Reader):
    """spaCy's ``DocBin`` files; a row is a document.

    The fields are ``text``, ``entities`` ([start, end, type] in characters) if any document has
    been annotated with them, and ``label`` if any has categories: the one category of a document
    with a score of at least 0.5, or null. Span groups and user data are not read, and nothing of
    the file is executed.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".spacy",)
    unit: ClassVar[str] = "document"

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the document from 1, its fields).

        Raises:
            DataError: ``msgpack`` is missing, the file is none of spaCy's, or a document is
                damaged.
        """
        content = _content(path)
        try:
            tokens, spaces, lengths = _arrays(content)
            strings = by_number(content["strings"])
            categories = content["cats"]
            if len(categories) != len(lengths) or lengths.sum() != len(spaces):
                raise ValueError("its parts are not of one length")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(path, error) from None
        has_labels = any(categories)
        has_entities = not has_labels or bool(np.any(tokens[:, 1]))
        start = 0
        for number, length in enumerate(lengths.tolist(), start=1):
            stop = start + length
            try:
                row = _row(tokens[start:stop].tolist(), spaces[start:stop].tolist(), strings)
                label = {"label": _label(categories[number - 1])} if has_labels else {}
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise DataError(
                    f"{path}, document {number}: {_reason(error)}",
                    hint="write the file again with spaCy 3",
                ) from None
            yield number, {**(row if has_entities else {"text": row["text"]}), **label}
            start = stop


def _content(path: Path) -> dict[str, Any]:
    try:
        import msgpack
    except ImportError:
        hint = "pip install 'textune[spacy]'"
        raise DataError(f"{path}: the package msgpack is missing", hint=hint) from None
    try:
        content = msgpack.unpackb(zlib.decompress(path.read_bytes()), strict_map_key=False)
    except OSError as error:
        raise cannot_read(path, error) from None
    except (zlib.error, ValueError, msgpack.UnpackException) as error:
        raise _damaged(path, error) from None
    if not isinstance(content, dict):
        raise _damaged(path, ValueError(f"it holds a {type(content).__name__}"))
    return content


def _arrays(
    content: dict[str, Any],
) -> tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    """All tokens (T, 3) in the order of ``COLUMNS``, spaces after them (T,), document lengths."""
    attributes = list(content["attrs"])
    flat = np.frombuffer(content["tokens"], dtype="<u8").reshape(-1, len(attributes))
    attributes.append(0)  # what is not stored is 0
    flat = np.hstack([flat, np.zeros_like(flat[:, :1])])
    chosen = [attributes.index(NUMBERED[n] if NUMBERED[n] in attributes else 0) for n in COLUMNS]
    spaces = np.frombuffer(content["spaces"], dtype="?")
    if len(spaces) != len(flat):
        raise ValueError("its parts are not of one length")
    return flat[:, chosen], spaces, np.frombuffer(content["lengths"], dtype="<i4")


def _row(
    tokens: Sequence[Sequence[int]], spaces: Sequence[bool], strings: dict[int, str]
) -> dict[str, object]:
    text = ""
    places = []
    tags = []
    for (word, letter, type), has_space in zip(tokens, spaces, strict=True):
        places.append((len(text), len(text) + len(strings[word])))
        tags.append(f"{LETTERS[letter]}-{strings[type]}" if letter in LETTERS and type else "O")
        text += strings[word] + " " * has_space
    entities = [
        [places[first][0], places[after - 1][1], type] for first, after, type in spans_of(tags)
    ]
    return {"text": text, "entities": entities}


def _label(categories: dict[str, float]) -> str | None:
    given = [name for name, score in categories.items() if score >= CHOSEN]
    return given[0] if len(given) == 1 else None


def _damaged(path: Path, error: Exception) -> DataError:
    what = f"{path}: no DocBin file, or damaged: {_reason(error)}"
    return DataError(what, hint="write it again with spaCy 3")


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        unknown = error.args[0]
        number = isinstance(unknown, int)
        return f"no string has the number {unknown}" if number else f"no {unknown!r}"
    return (str(error) or type(error).__name__).splitlines()[0]
