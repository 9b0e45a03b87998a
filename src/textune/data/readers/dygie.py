"""Documents of tokenised sentences with entities by token, as SciERC and DyGIE have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row
from textune.data.readers.jsonl import Jsonl
from textune.data.tags import joined


@dataclass(frozen=True, kw_only=True)
class Dygie(Reader):
    """One JSON document a line: ``sentences`` as lists of tokens, ``ner`` for each sentence.

    An entity is [first token, last token, type]; tokens are counted through the document and the
    last one belongs to the entity. The fields of a sentence are ``text``, ``entities`` ([start,
    end, type] in characters), ``document`` (``doc_key``, or a number) and ``sentence``. Chosen by
    name: such files end in ``.jsonl`` like any other.
    """

    signature: ClassVar[frozenset[str]] = frozenset({"sentences", "ner"})

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line of the document, fields of a sentence).

        Raises:
            DataError: names the file and the line whose document is not built so.
        """
        for number, content in Jsonl().rows(path):
            try:
                yield from ((number, row) for row in _sentences(dict(content), number))
            except (KeyError, TypeError, ValueError, IndexError) as error:
                reason = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise DataError(
                    f"{path}, line {number}: no document of sentences and entities: {reason}",
                    hint="a document has 'sentences' (lists of tokens) and 'ner' (lists of "
                    "[first token, last token, type]), one list for each sentence",
                ) from None


def _sentences(document: dict[str, Any], number: int) -> Iterator[Row]:
    sentences, entities = document["sentences"], document["ner"]
    if len(sentences) != len(entities):
        raise ValueError(f"{len(sentences)} sentences, entities for {len(entities)}")
    offset = 0
    for place, (tokens, found) in enumerate(zip(sentences, entities, strict=True)):
        spans = []
        for first, last, type in found:
            if not offset <= first <= last < offset + len(tokens):
                raise ValueError(f"tokens {first} to {last} are not in sentence {place + 1}")
            spans.append((first - offset, last - offset + 1, str(type)))
        text, characters = joined(tokens, spans)
        key = document.get("doc_key", number)
        yield {"text": text, "entities": characters, "document": key, "sentence": place + 1}
        offset += len(tokens)
