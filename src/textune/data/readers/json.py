"""A JSON array of objects, or an object a line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.data.json_records import json_records
from textune.data.readers.base import Reader, Row


@dataclass(frozen=True, kw_only=True)
class Json(Reader):
    """One JSON array of objects; a file with an object a line is read too."""

    suffixes: ClassVar[tuple[str, ...]] = (".json",)
    unit: ClassVar[str] = "record"

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the record, its fields).

        Raises:
            DataError: names the file and the line or record that is no JSON object.
        """
        yield from json_records(path)
