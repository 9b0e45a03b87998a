"""One JSON object a line."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row, text_lines


@dataclass(frozen=True, kw_only=True)
class Jsonl(Reader):
    """One JSON object a line; blank lines are skipped."""

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line number, the object's fields).

        Raises:
            DataError: names the file and the line that is no JSON object.
        """
        for number, line in text_lines(path):
            if line.strip():
                yield number, _parsed(line, place=f"{path}, line {number}")


def _parsed(line: str, *, place: str) -> Row:
    hint = "write one JSON object a line"
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        what = f"{error.msg} at column {error.colno}"
        raise DataError(f"{place}: not JSON: {what}", hint=hint) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: unreadable JSON: {error}", hint=hint) from None
    if not isinstance(content, dict):
        found = type(content).__name__
        raise DataError(f"{place}: expected a JSON object, found a {found}", hint=hint)
    return content
