"""Conversations with turns ``{"from": "human", "value": ...}``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.data.chat import SHAREGPT, chat_rows
from textune.data.readers.base import Reader, Row


@dataclass(frozen=True, kw_only=True)
class Sharegpt(Reader):
    """Conversations as ShareGPT has them, in a JSON array or one a line.

    The fields are ``instruction`` (the system prompt), ``input``, ``text`` (both) and ``label``
    (the last turn, which must be that of ``gpt``).
    """

    unit: ClassVar[str] = "record"
    signature: ClassVar[frozenset[str]] = frozenset({SHAREGPT.turns})

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the record, its fields).

        Raises:
            DataError: names the file and the record that is not built so.
        """
        return chat_rows(path, SHAREGPT)
