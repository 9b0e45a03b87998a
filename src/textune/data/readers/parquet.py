"""Apache Parquet, read in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row, cannot_read

BATCH_ROWS = 4096


@dataclass(frozen=True, kw_only=True)
class Parquet(Reader):
    """Apache Parquet, which compresses by itself: no ``.gz``."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet",)
    unit: ClassVar[str] = "row"

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (row number from 1, fields as Python values).

        Raises:
            DataError: the file is missing, damaged or no Parquet, or names a column twice.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        try:
            with path.open("rb") as handle, pq.ParquetFile(handle) as file:
                _check_columns(path, file.schema_arrow.names)
                for batch in file.iter_batches(batch_size=BATCH_ROWS):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, row
        except pa.ArrowException as error:
            raise _damaged(path, error) from None
        except OSError as error:
            # Arrow reports damaged pages as an OSError without an error number.
            raise (cannot_read if error.errno else _damaged)(path, error) from None


def _check_columns(path: Path, names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        hint = "give every column its own name"
        raise DataError(f"{path}: the column {twice!r} comes twice", hint=hint)


def _damaged(path: Path, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"{path}: no Parquet file, or damaged: {reason}", hint="write it again")
