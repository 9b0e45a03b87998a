"""Reader: a file's rows as fields; what they mean (columns, labels, ids) is not its business.

A reader may take more than files: a folder, a part of either (``dataset_info.json#name``), or a
place of its own scheme (``hub:owner/name``).
"""

import gzip
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

from textune.core.errors import DataError, did_you_mean
from textune.core.registry import Plugin, Registry

Row = Mapping[str, object]
"""One row: column name -> the value as the format gives it."""


@dataclass(frozen=True, kw_only=True)
class Reader(Plugin, ABC):
    """Reads one file format; the text formats also gzipped."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """File name endings this reader takes, without ``.gz``; of two that fit, the longer wins."""
    scheme: ClassVar[str] = ""
    """What places start with that are no files: ``hub:``."""
    signature: ClassVar[frozenset[str]] = frozenset()
    """Columns that tell this format in a file whose ending does not."""
    unit: ClassVar[str] = "line"
    """What ``rows`` counts, as errors call it."""

    @abstractmethod
    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line or row number as a person counts it, fields by column name).

        Raises:
            DataError: names the file and the row that cannot be read.
        """


REGISTRY = Registry("textune.data.readers", Reader, noun="reader")


def reader_for(path: Path, format: str = "auto") -> Reader:
    """The reader of that name; for ``auto`` the one that takes the scheme or the ending.

    Raises:
        ConfigError: there is no reader of that name.
        DataError: no reader takes the ending.
    """
    if format != "auto":
        return REGISTRY.get(format)()
    readers = REGISTRY.all()
    for place in (path, file_and_part(path)[0]):
        name = str(place).lower().removesuffix(".gz")
        taken = [r for r in readers if r.scheme and name.startswith(r.scheme)]
        endings = {ending: r for r in readers for ending in r.suffixes if name.endswith(ending)}
        if taken or endings:
            return (taken or [endings[max(endings, key=len)]])[0]()
    plain = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    known = [ending for reader in readers for ending in reader.suffixes]
    hint = f"{did_you_mean(plain.suffix, known)} Or name the format: {', '.join(REGISTRY.names())}"
    raise DataError(f"{path}: unknown file ending {plain.suffix.lower()!r}", hint=hint)


def recognised(path: Path) -> str:
    """The format of a file: by the columns of its first row, else by its ending.

    Raises:
        DataError: no reader takes the ending, or the file cannot be read.
    """
    by_ending = reader_for(path)
    columns = next((set(row) for _, row in by_ending.rows(path)), set())
    told = [r.name for r in REGISTRY.all() if r.signature and r.signature <= columns]
    return told[0] if told else by_ending.name


def file_and_part(path: Path) -> tuple[Path, str]:
    """``data.json#name`` as the file and the name of a part of it, which may be empty.

    A file whose own name holds the mark is taken as it is.
    """
    name, mark, part = path.name.rpartition("#")
    if not mark or path.exists():
        return path, ""
    return path.with_name(name), part


def is_there(path: Path) -> bool:
    """Whether there is something to read: a file, a folder, or a place that is neither."""
    schemes = {reader.scheme for reader in REGISTRY.all()} - {""}
    return str(path).startswith(tuple(schemes)) or file_and_part(path)[0].exists()


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
