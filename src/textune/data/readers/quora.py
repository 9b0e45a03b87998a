"""Quora's release of question pairs, and Kaggle's copy of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.core.errors import DataError
from textune.data.delimited import delimited_rows
from textune.data.readers.base import Reader, Row

QUESTIONS = ("question1", "question2")
NUMBERS = ("id", "qid1", "qid2", "test_id")
LABEL = "is_duplicate"
NEXT_PAIR = re.compile(r'\n"?\d+"?[\t,]"?\d+"?[\t,]"?\d+"?[\t,]')
"""The start of a pair, which inside of a question tells of a quote that does not close."""


@dataclass(frozen=True, kw_only=True)
class Quora(Reader):
    """Quora's question pairs: the released TSV, or the CSV that Kaggle has.

    Questions may hold quotes and line breaks. A pair with an empty question is left out: nobody
    can tell whether it is a duplicate.
    """

    signature: ClassVar[frozenset[str]] = frozenset({*QUESTIONS, "qid1", "qid2", LABEL})

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (line on which the pair starts, its fields).

        Raises:
            DataError: names the file and the line; a quote that does not close is found by the
                pair inside of a question, or by numbers and labels in the wrong place.
        """
        delimiter = "," if ".csv" in path.suffixes else "\t"
        for number, row in delimited_rows(path, delimiter=delimiter, strict=False):
            place = f"{path}, line {number}"
            if missing := [name for name in QUESTIONS if name not in row]:
                hint = "the release has id, qid1, qid2, question1, question2, is_duplicate"
                raise DataError(f"{place}: no column {missing[0]!r}", hint=hint)
            _check(row, place)
            if all(str(row[name]).strip() for name in QUESTIONS):
                yield number, row


def _check(row: Row, place: str) -> None:
    odd = [name for name in NUMBERS if name in row and not str(row[name]).isdecimal()]
    odd += [LABEL] * (row.get(LABEL, "0") not in ("0", "1"))
    odd += [name for name in QUESTIONS if NEXT_PAIR.search(str(row[name]))]
    if odd:
        raise DataError(
            f"{place}: the column {odd[0]!r} holds {str(row[odd[0]])[:30]!r}",
            hint="see this line and the one above: is there a quote that does not close?",
        )
