"""Store: a folder per cell; a cell is done when its ``record.json`` is there, written by rename.

<run>/study.yaml, cells.json              the resolved study
<run>/cells/<fingerprint>/record.json     Record
<run>/cells/<fingerprint>/predictions.parquet
<run>/cells/<fingerprint>/bundle/         the fitted approach
<run>/cells/<fingerprint>/work/           checkpoints of a cell in progress
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from textune.core import files
from textune.core.config import parse, plain
from textune.core.errors import ConfigError, StoreError
from textune.data.predictions import Predictions
from textune.results.record import FORMAT, Record, ScoredExamples


@dataclass(frozen=True)
class Store:
    """The records and predictions of one run."""

    root: Path

    def cell(self, fingerprint: str) -> Path:
        """The folder of a cell."""
        return self.root / "cells" / fingerprint

    def has(self, fingerprint: str) -> bool:
        """Whether the cell ended, well or not."""
        return (self.cell(fingerprint) / "record.json").is_file()

    def load(self, fingerprint: str) -> Record:
        """The record of a cell that ended.

        Raises:
            StoreError: the file is damaged or of another format; names it.
        """
        path = self.cell(fingerprint) / "record.json"
        damaged = f"delete {path.parent} and run the study again: only this cell is redone"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            record = parse(Record, content, where=str(path))
        except (OSError, ValueError, ConfigError) as error:
            reason = error.message if isinstance(error, ConfigError) else str(error)
            raise StoreError(f"damaged record {path}: {reason}", hint=damaged) from None
        if record.format != FORMAT or record.fingerprint != fingerprint:
            raise StoreError(f"damaged record {path}: it belongs elsewhere", hint=damaged)
        return record

    def records(self, fingerprints: Iterable[str] | None = None) -> list[Record]:
        """Records of the given cells that ended; of all cells when none are given."""
        if fingerprints is None:
            found = sorted((self.root / "cells").glob("*/record.json"))
            return [self.load(path.parent.name) for path in found]
        return [self.load(f) for f in fingerprints if self.has(f)]

    def save(self, record: Record, scored: ScoredExamples | None) -> None:
        """Write predictions first, the record last.

        Raises:
            StoreError: the folder cannot be written; what was there before is untouched.
        """
        folder = self.cell(record.fingerprint)
        if scored is not None:
            with files.replacing(folder / "predictions.parquet") as temporary:
                _write_parquet(temporary, scored)
        text = json.dumps(plain(record), indent=1, ensure_ascii=False, allow_nan=False)
        files.write_text(folder / "record.json", text + "\n")

    def predictions(self, fingerprint: str) -> ScoredExamples:
        """The stored predictions of a done cell.

        Raises:
            StoreError: the file is missing or damaged; names it.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.cell(fingerprint) / "predictions.parquet"
        try:
            with pq.ParquetFile(path) as file:
                columns = file.read().to_pydict()
            scores = columns["scores"]
            predictions = Predictions(
                answers=columns["answer"],
                scores=None if None in scores or not scores else np.asarray(scores, dtype=float),
                raw=None if None in columns["raw"] else columns["raw"],
            )
            return ScoredExamples(columns["id"], columns["gold"], predictions)
        except (OSError, KeyError, pa.ArrowException) as error:
            raise StoreError(
                f"damaged predictions {path}: {error}",
                hint=f"delete {path.parent} and run the study again: only this cell is redone",
            ) from None


def _write_parquet(path: Path, scored: ScoredExamples) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = scored.predictions
    size = len(scored.ids)
    table = pa.table(
        {
            "id": pa.array(scored.ids, pa.string()),
            "gold": pa.array(scored.gold, pa.string()),
            "answer": pa.array(said.answers, pa.string()),
            "valid": pa.array([a is not None for a in said.answers], pa.bool_()),
            "scores": pa.array(
                [None] * size if said.scores is None else said.scores.tolist(),
                pa.list_(pa.float64()),
            ),
            "raw": pa.array(list(said.raw) if said.raw else [None] * size, pa.string()),
        }
    )
    pq.write_table(table, path)
