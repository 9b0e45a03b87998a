"""Chat messages with turns ``{"role": "user", "content": ...}``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.data.chat import MESSAGES, chat_rows
from textune.data.readers.base import Reader, Row


@dataclass(frozen=True, kw_only=True)
class Messages(Reader):
    """Chat messages as OpenAI has them, one conversation a line or in a JSON array.

    The fields are ``instruction`` (the system prompt), ``input``, ``text`` (both) and ``label``
    (the last message, which must be that of the ``assistant``).
    """

    unit: ClassVar[str] = "record"
    signature: ClassVar[frozenset[str]] = frozenset({MESSAGES.turns})

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the record, its fields).

        Raises:
            DataError: names the file and the record that is not built so.
        """
        return chat_rows(path, MESSAGES)
