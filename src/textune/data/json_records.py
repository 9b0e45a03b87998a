"""Records of a JSON file: one array of objects, or an object a line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textune.core.errors import DataError
from textune.data.readers.base import text_lines
from textune.data.readers.jsonl import Jsonl

_HINT = "write one array of objects, [{...}, {...}], or one object a line"


def json_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number of the record from 1, its content); of a file of lines the number of the line.

    Raises:
        DataError: the file is not JSON, or a record is no object; names line or record.
    """
    if not _is_array(path):
        yield from ((number, dict(row)) for number, row in Jsonl().rows(path))
        return
    for number, record in enumerate(_array(path), start=1):
        if not isinstance(record, dict):
            found = type(record).__name__
            what = f"{path}, record {number}: expected a JSON object, found a {found}"
            raise DataError(what, hint=_HINT)
        yield number, record


def json_content(path: Path) -> Any:
    """The content of a file that is one JSON document.

    Raises:
        DataError: it is none; names the line.
    """
    try:
        return json.loads("".join(line for _, line in text_lines(path)))
    except json.JSONDecodeError as error:
        what = f"{path}, line {error.lineno}: not JSON: {error.msg} at column {error.colno}"
        raise DataError(
            what, hint="see this line and the one above: commas, quotes, brackets"
        ) from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: unreadable JSON: {error}", hint=_HINT) from None


def _array(path: Path) -> list[Any]:
    content = json_content(path)
    assert isinstance(content, list), "it begins with a bracket"
    return content


def _is_array(path: Path) -> bool:
    first = next((line for _, line in text_lines(path) if line.strip()), "")
    return first.lstrip().startswith("[")
