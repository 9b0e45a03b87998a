"""Rows of delimited text with a header line; CSV and TSV differ only in the delimiter."""

import csv
from collections.abc import Iterator
from pathlib import Path

from textune.core.errors import DataError
from textune.data.readers.base import Row, text_lines


def delimited_rows(
    path: Path, *, delimiter: str, strict: bool = True
) -> Iterator[tuple[int, Row]]:
    """Yield (line on which the row starts, fields by column name); blank lines are skipped.

    A field in double quotes may hold delimiters, line breaks and doubled quotes. Without
    ``strict`` text may follow the closing quote, and the last quote of the file may be open.

    Raises:
        DataError: quotes do not close, a field passes the limit of the ``csv`` module (131,072
            characters), a row has more or fewer fields than the header, or a column comes twice.
    """
    texts = (text for _, text in text_lines(path))
    reader = csv.reader(texts, delimiter=delimiter, strict=strict)
    header: list[str] = []
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{path}, line {line}: {error}",
                hint="a field that starts with a quote must end with one; double quotes inside it",
            ) from None
        if fields is None:
            return
        if not fields:
            continue
        if not header:
            header = _checked_header(path, line, fields)
            continue
        if len(fields) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(fields)} fields, but the header names {len(header)}",
                hint="put fields that hold the delimiter into double quotes",
            )
        yield line, dict(zip(header, fields, strict=True))


def _checked_header(path: Path, line: int, fields: list[str]) -> list[str]:
    names = [field.strip() for field in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"{path}, line {line}: the header names the column {twice!r} twice",
            hint="give every column its own name",
        )
    return names
