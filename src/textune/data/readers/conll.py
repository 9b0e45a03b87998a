"""Tagged tokens, one a line, with an empty line after each sentence (CoNLL 2003 and its kin)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row, text_lines
from textune.data.tags import joined, spans_of

DOCUMENT = "-DOCSTART-"


@dataclass(frozen=True, kw_only=True)
class Conll(Reader):
    """One token a line, its entity tag last; IOB1, IOB2, BIOES or BILOU.

    Columns stand between tabs, or between spaces in lines without a tab. The fields of a sentence
    are ``text`` (tokens with spaces between them), ``entities`` ([start, end, type] in characters)
    and ``document`` (name of the file and a number that rises at every ``-DOCSTART-``; null
    before the first).
    """

    suffixes: ClassVar[tuple[str, ...]] = (".conll", ".iob", ".bio")

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line on which the sentence starts, its fields).

        Raises:
            DataError: names the file and the line that has no tag, or one that no scheme has.
        """
        document = 0
        sentence: list[tuple[int, str, str]] = []
        for number, line in text_lines(path):
            fields = _fields(line)
            opens_document = bool(fields) and fields[0] == DOCUMENT
            if sentence and (opens_document or not fields):
                yield _sentence(path, sentence, document)
                sentence = []
            if opens_document:
                document += 1
            elif fields:
                if len(fields) < 2 or not fields[0] or not fields[-1]:
                    hint = "a line holds a token first and its tag last; empty lines end sentences"
                    raise DataError(f"{path}, line {number}: no token and tag", hint=hint)
                sentence.append((number, fields[0], fields[-1]))
        if sentence:
            yield _sentence(path, sentence, document)


def _fields(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    if not line.strip():
        return []
    return [field.strip() for field in line.split("\t")] if "\t" in line else line.split()


def _sentence(
    path: Path, lines: list[tuple[int, str, str]], document: int
) -> tuple[int, dict[str, object]]:
    tokens = [token for _, token, _ in lines]
    try:
        spans = list(spans_of([tag for _, _, tag in lines]))
    except DataError as error:
        number = next(number for number, _, tag in lines if repr(tag) in error.message)
        raise DataError(f"{path}, line {number}: {error.message}", hint=error.hint) from None
    text, entities = joined(tokens, spans)
    name = f"{path.name.partition('.')[0]} {document}" if document else None
    return lines[0][0], {"text": text, "entities": entities, "document": name}
