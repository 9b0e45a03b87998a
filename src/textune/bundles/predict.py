"""Predictions for a file: streamed in, streamed out, taken up where a killed run stopped."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from textune.bundles.bundle import Bundle
from textune.core import files
from textune.core.errors import DataError, StoreError
from textune.data.examples import Example
from textune.data.predictions import Predictions

CHUNK = 256
"""Examples predicted and written at once; what a kill can cost."""
ENDINGS = (".csv", ".jsonl")


def predict_file(
    bundle: Bundle,
    examples: Iterable[Example],
    out: Path,
    *,
    report: Callable[[int], None] = lambda *_: None,
) -> int:
    """Write ``id``, ``label`` and a score for each label; gives the number of examples.

    The output grows in ``<out>.part`` and gets its name at the end. Started again after a kill,
    finished examples are checked against the input by id and not predicted again.

    Raises:
        DataError: the input is bad, or is not the one that a ``.part`` file was made from.
        StoreError: the output cannot be written.
    """
    if out.suffix not in ENDINGS:
        raise StoreError(f"cannot write {out}: unknown ending", hint=f"use {' or '.join(ENDINGS)}")
    labels = list(bundle.task.labels)
    part = out.with_name(out.name + ".part")
    rows = iter(examples)
    done = _skip_finished(part, rows, out.suffix, labels)
    chunk = list(islice(rows, CHUNK))  # a bad input is refused before anything is written
    files.check_writable(out.parent)
    try:
        with part.open("a", encoding="utf-8", newline="") as stream:
            if out.suffix == ".csv" and stream.tell() == 0:
                stream.write(_csv_line(_header(labels)))
            while chunk:
                said = bundle.predictor.predict(chunk)
                stream.writelines(_lines(chunk, said, labels, out.suffix))
                stream.flush()
                os.fsync(stream.fileno())
                done += len(chunk)
                report(done)
                chunk = list(islice(rows, CHUNK))
        part.replace(out)
    except OSError as error:
        raise files.cannot_write(out, error) from error
    return done


def _skip_finished(part: Path, rows: Iterator[Example], ending: str, labels: list[str]) -> int:
    """Cut a half-written last line off, step over the examples that are finished; their number."""
    if not part.is_file():
        return 0
    whole = _whole_lines(part.read_bytes(), ending)
    finished = list(_finished_ids(whole, ending, labels, part))
    for place, name in enumerate(finished, start=1):
        example = next(rows, None)
        if example is None or example.id != name:
            raise DataError(
                f"{part}: row {place} is {name!r}, the input has "
                f"{'nothing' if example is None else repr(example.id)} there",
                hint="delete the .part file to start anew, or give the input that it began with",
            )
    os.truncate(part, len(whole))
    return len(finished)


def _whole_lines(content: bytes, ending: str) -> bytes:
    """What comes before a half-written last line; in CSV a line break may stand inside quotes."""
    whole = content[: content.rfind(b"\n") + 1]
    while ending == ".csv" and whole.count(b'"') % 2:
        whole = whole[: whole.rfind(b"\n", 0, -1) + 1]
    return whole


def _finished_ids(content: bytes, ending: str, labels: list[str], part: Path) -> Iterator[str]:
    try:
        text = content.decode("utf-8")
        if ending == ".jsonl":
            for line in text.split("\n")[:-1]:
                yield str(json.loads(line)["id"])
        else:
            lines = csv.reader(io.StringIO(text, newline=""))
            if next(lines, None) not in (None, _header(labels)):
                raise ValueError("its columns are not those of this bundle")
            for fields in lines:
                yield fields[0]
    except (ValueError, TypeError, LookupError, csv.Error) as error:
        hint = "delete it to start anew"
        raise DataError(f"damaged {part}: {error}", hint=hint) from None


def _header(labels: list[str]) -> list[str]:
    return ["id", "label", *(f"score:{label}" for label in labels)]


def _lines(
    chunk: list[Example], said: Predictions, labels: list[str], ending: str
) -> Iterator[str]:
    for place, example in enumerate(chunk):
        answer = said.answers[place]
        scores = None if said.scores is None else [round(float(s), 6) for s in said.scores[place]]
        if ending == ".jsonl":
            named = None if scores is None else dict(zip(labels, scores, strict=True))
            row = {"id": example.id, "label": answer, "scores": named}
            yield json.dumps(row, ensure_ascii=False) + "\n"
        else:
            fields: list[str | float] = [example.id, answer or ""]
            yield _csv_line([*fields, *(scores if scores is not None else [""] * len(labels))])


def _csv_line(fields: Sequence[str | float]) -> str:
    """One row that ends with LF; ``csv`` quotes a CR only when its own line ends hold one."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\r\n").writerow(fields)
    return stream.getvalue().removesuffix("\r\n") + "\n"
