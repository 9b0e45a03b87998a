"""Reader: a file's rows as fields; what they mean (columns, labels, ids) is not its business."""

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from textune.core.errors import DataError
from textune.core.registry import Plugin, Registry

Row = Mapping[str, object]
"""One row: column name -> the value as the format gives it."""


@dataclass(frozen=True, kw_only=True)
class Reader(Plugin, ABC):
    """Reads one file format; the text formats also gzipped."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name endings this reader takes, without ``.gz``."""
    unit: ClassVar[str] = "line"
    """What ``rows`` counts, as errors call it."""

    @abstractmethod
    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line or row number as a person counts it, fields by column name).

        Raises:
            DataError: names the file and the row that cannot be read.
        """


REGISTRY = Registry("textune.data.readers", Reader, noun="reader")


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line with its line end) of a UTF-8 file, plain or ``.gz``.

    A leading byte-order mark is dropped. Lines end at a line feed and at nothing else.

    Raises:
        DataError: the file cannot be opened or unzipped; a line is not UTF-8 or holds a NUL byte.
    """
    number = 0
    try:
        with _open(path) as handle:
            for number, line in enumerate(handle, start=1):
                if b"\0" in line:
                    raise DataError(
                        f"{path}, line {number}: holds a NUL byte",
                        hint="save the file as UTF-8 text: UTF-16 and binary files look so",
                    )
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{path}, line {number}: not UTF-8 (byte 0x{byte:02x})",
            hint="save the file as UTF-8",
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path}: damaged gzip file, readable up to line {number}: {error}",
            hint="fetch it again: it may be cut off",
        ) from None
    except OSError as error:
        raise cannot_read(path, error) from None


def cannot_read(path: Path, error: OSError) -> DataError:
    """The one message for a file that is missing or refuses to open."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"no such file: {path}", hint="check the path")
    reason = error.strerror or str(error)
    return DataError(f"cannot read {path}: {reason}", hint="check that it is a readable file")


def _open(path: Path) -> BinaryIO:
    if path.suffix.lower() == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")
