"""Several labels as one answer.

As with entities, the answer is JSON, written one way only: two answers are the same exactly when
their strings are.
"""

import json
from collections.abc import Iterable

from textune.core.errors import DataError
from textune.data.examples import Answer


def write_labels(labels: Iterable[str]) -> Answer:
    """The answer that these labels are: sorted, each once."""
    return json.dumps(sorted(set(labels)), ensure_ascii=False)


def read_labels(answer: Answer) -> tuple[str, ...]:
    """What ``write_labels`` wrote."""
    return tuple(json.loads(answer))


def label_cells(value: object, column: str) -> list[str]:
    """The labels that a cell lists: a list, JSON of one, or names with ``;`` between them.

    An empty cell lists none.

    Raises:
        DataError: the cell holds something else.
    """
    if isinstance(value, str):
        text = value.strip()
        if not text.startswith("["):
            return [name for part in text.split(";") if (name := part.strip())]
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    listed = [] if value is None else value
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise DataError(
            f"the column {column!r} lists no labels",
            hint='write a list of names, ["a", "b"], or names with ; between them',
        )
    return listed
