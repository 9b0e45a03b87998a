"""Instruction records with ``instruction``, ``input`` and ``output``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.data.chat import AlpacaKeys, chat_rows
from textune.data.readers.base import Reader, Row


@dataclass(frozen=True, kw_only=True)
class Alpaca(Reader):
    """Instruction records as Alpaca has them, in a JSON array or one a line.

    The fields are ``instruction``, ``input``, ``text`` (both) and ``label`` (the ``output``). A
    ``system`` prompt goes before the instruction, a ``history`` before the input.
    """

    unit: ClassVar[str] = "record"
    signature: ClassVar[frozenset[str]] = frozenset({"instruction", "output"})

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (number of the record, its fields).

        Raises:
            DataError: names the file and the record that is not built so.
        """
        return chat_rows(path, AlpacaKeys())
