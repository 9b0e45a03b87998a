"""The files of the GLUE benchmark (Wang et al., 2019), as it ships them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textune.core.errors import DataError, did_you_mean
from textune.data.readers.base import Reader, Row, file_and_part, text_lines

COLA = ("source", "label", "mark", "sentence")
"""The columns of CoLA's training and development files, which have no header line."""
RENAMED = {
    "#1 String": "sentence1",
    "#2 String": "sentence2",
    "question1": "sentence1",
    "question2": "sentence2",
    "Quality": "label",
    "gold_label": "label",
    "is_duplicate": "label",
    "score": "label",
    "id": "index",
}
KEPT = ("index", "sentence", "sentence1", "sentence2", "label")
MAY_BREAK = frozenset({"question1", "question2", "is_duplicate"})
"""Columns of QQP's labelled files, whose questions hold a few line breaks that nothing marks."""


@dataclass(frozen=True, kw_only=True)
class Glue(Reader):
    """A folder of the GLUE benchmark, ``GLUE/CoLA`` or ``GLUE/MNLI#dev_matched``, or a file of it.

    Fields stand between tabs and quotes mean nothing. Whatever a task calls them, the fields are
    ``index`` (where there is one), ``sentence``, or ``sentence1`` and ``sentence2``, and
    ``label`` (in test files there is none). A folder without a part is its ``train.tsv``. Pairs
    of QQP that a line break cuts in two are left out, as they are by other readers.
    """

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line, fields).

        Raises:
            DataError: there is no such part, or a line has more or fewer fields than the header.
        """
        path = _file(path)
        header: list[str] = []
        for number, line in text_lines(path):
            fields = line.rstrip("\r\n").split("\t")
            if fields == [""]:
                continue
            if not header:
                header = list(COLA) if _is_cola(fields) else _header(path, fields)
                if header != list(COLA):
                    continue
            if len(fields) < len(header) and set(header) >= MAY_BREAK:
                continue
            if len(fields) != len(header):
                raise DataError(
                    f"{path}, line {number}: {len(fields)} fields, not {len(header)}",
                    hint="fields stand between tabs; fetch the file again, it may be cut off",
                )
            yield number, _row(dict(zip(header, fields, strict=True)))


def _file(path: Path) -> Path:
    folder, part = file_and_part(path)
    if not folder.is_dir():
        return path
    file = folder / f"{part or 'train'}.tsv"
    if not file.exists():
        parts = [each.stem for each in folder.glob("*.tsv")]
        raise DataError(
            f"{folder} has no part {part or 'train'!r}", hint=did_you_mean(part, parts)
        )
    return file


def _is_cola(fields: list[str]) -> bool:
    return len(fields) == len(COLA) and fields[1] in ("0", "1")


def _header(path: Path, fields: list[str]) -> list[str]:
    known = {RENAMED.get(field, field) for field in fields} & set(KEPT)
    if not known & {"sentence", "sentence1"} or len(set(fields)) < len(fields):
        raise DataError(
            f"{path}, line 1: no header of a GLUE file: {fields[0][:30]!r}",
            hint="the first line names the columns, tabs between them; only CoLA's has none",
        )
    return fields


def _row(fields: dict[str, str]) -> Row:
    if "question" in fields:  # QNLI
        fields = {**fields, "sentence1": fields["question"], "sentence2": fields["sentence"]}
        del fields["sentence"]
    named = {RENAMED.get(name, name): value for name, value in fields.items()}
    return {name: named[name] for name in KEPT if name in named}
