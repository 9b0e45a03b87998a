"""Examples as rows of a table: id, texts, answer and, where there are any, groups."""

from textune.data.entities import read_entities
from textune.data.examples import Example
from textune.data.label_sets import read_labels
from textune.tasks.base import Columns, TaskSpec

TEXTS = {1: ("text",), 2: ("text_a", "text_b")}
"""Number of texts -> their columns."""


def row_columns(task: TaskSpec) -> Columns:
    """Which column of such rows is what."""
    texts = TEXTS[task.kind.num_texts]
    return Columns(
        text=texts if len(texts) > 1 else texts[0],
        answer="entities" if task.kind.has_entities else "label",
        id="id",
        group="group" if task.data.columns.group else None,
    )


def row_of(task: TaskSpec, example: Example, columns: Columns) -> dict[str, object]:
    """The row of an example; entities are lists of [start, end, type], labels of names."""
    answer: object = example.answer
    if task.kind.has_entities and example.answer is not None:
        answer = [[e.start, e.end, e.type] for e in read_entities(example.answer)]
    if task.kind.answer_form == "labels" and example.answer is not None:
        answer = list(read_labels(example.answer))
    texts = dict(zip(TEXTS[task.kind.num_texts], example.texts, strict=True))
    group = {columns.group: example.group} if columns.group else {}
    return {"id": example.id, **texts, columns.answer: answer, **group}
