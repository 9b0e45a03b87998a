"""Comma-separated text with a header line (RFC 4180)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.data.delimited import delimited_rows
from textune.data.readers.base import Reader, Row


@dataclass(frozen=True, kw_only=True)
class Csv(Reader):
    """Comma-separated text with a header line."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line on which the row starts, fields as text).

        Raises:
            DataError: names the file and the line that cannot be read.
        """
        return delimited_rows(path, delimiter=",")
