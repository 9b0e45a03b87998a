"""Dataset: the examples of a task; and a task made out of a user's own file."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from textune.core.errors import DataError, did_you_mean
from textune.data.examples import Examples
from textune.data.readers.base import file_and_part, is_there, reader_for, recognised
from textune.data.sources import Layout, column_names, read_examples
from textune.tasks.base import Columns, DataSpec, TaskSpec, data_path
from textune.tasks.kinds import base as kinds

TEXT_NAMES = (
    ("text",),
    ("sentence",),
    ("string",),
    ("text_a", "text_b"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("premise", "hypothesis"),
)
"""Columns taken for the text or the pair of texts when a user names none."""
ANSWER_NAMES = (("label",), ("intent",), ("class",), ("is_duplicate",))
"""Columns taken for the answer when a user names none."""
ENTITIES = "entities"
"""The column that is taken for lists of entities."""
POSITIVE_NAMES = ("1", "true", "yes", "duplicate", "entailment")
"""Labels taken for the positive one of a pair file, compared without case."""
MAX_LABELS = 20
"""More labels than this must each recur, else the column is taken for something else."""


@dataclass(frozen=True)
class Dataset:
    """The examples of a task; without ``test`` the protocol must make folds of ``train``."""

    train: Examples
    test: Examples | None = None


def load_dataset(task: TaskSpec) -> Dataset:
    """Read the files of a task.

    The same example in both parts is kept: that is a leak, which the audit reports.

    Raises:
        DataError: a file is missing or has a bad row, or one id names two different examples.
    """
    train = _read(task, task.data.train)
    if task.data.test is None:
        return Dataset(train)
    test = _read(task, task.data.test)
    if task.data.columns.id is not None:
        _check_shared_ids(train, test)
    return Dataset(train, test)


def layout_of(task: TaskSpec, *, with_answers: bool = True) -> Layout:
    """How the files of a task are laid out; without answers for files to predict."""
    columns = task.data.columns
    return Layout(
        text_columns=task.text_columns,
        answer_column=columns.answer if with_answers else None,
        id_column=columns.id,
        group_column=columns.group,
        labels=tuple(task.labels),
        values=task.data.values,
        answer_form=task.kind.answer_form,
    )


def task_from_file(
    path: Path,
    *,
    format: str = "auto",
    text: str = "auto",
    answer: str = "auto",
    id: str | None = None,
    group: str | None = None,
) -> TaskSpec:
    """A task out of one labelled file, its labels by falling frequency.

    A column ``entities`` makes an extract task, two texts a pair, anything else classification.
    An instruction that all records of instruction data share becomes that of the task.

    Args:
        path: the file, of any format with a reader, or another place that a reader takes.
        format: a reader's name; ``auto`` goes by the columns, else by the ending.
        text: column of the text, or two as ``a,b`` for a pair; ``auto`` looks for usual names.
        answer: column of the label; ``auto`` looks for usual names.
        id: column of a unique id.
        group: column of what must not be split.

    Raises:
        DataError: the columns cannot be told, a row is bad, or the answers are no labels.
        ConfigError: the answers do not make a task, as when all are the same.
    """
    format = recognised(path) if format == "auto" else format
    columns = column_names(path, format)
    if text == "auto" and {"text", ENTITIES} <= set(columns):
        text = "text"  # documents of tokens also have a column of sentence numbers
    texts = _text_columns(text, columns, path)
    if answer == ENTITIES or (answer == "auto" and ENTITIES in columns):
        return _entity_task(path, format, texts, id, group)
    (answers,) = (answer,) if answer != "auto" else _found(ANSWER_NAMES, columns, path, "answer")
    layout = Layout(text_columns=texts, answer_column=answers, id_column=id, group_column=group)
    counts = Counter(read_examples(path, layout, format=format).answers)
    if len(counts) > MAX_LABELS and len(counts) * 2 > counts.total():
        raise DataError(
            f"{path}: the column {answers!r} has {len(counts)} different values in "
            f"{counts.total()} rows: these are no labels",
            hint="name the column of the label",
        )
    labels = [label for label, _ in counts.most_common()]
    is_pair = len(texts) == 2
    shared = _shared_instruction(path, format) if text == "auto" else ""
    if shared:
        texts = ("input",)
    return TaskSpec(
        name=_name_of(path),
        kind=kinds.REGISTRY.get("pair" if is_pair else "classify")(),
        instruction=shared or f"Decide which label fits the {'two texts' if is_pair else 'text'}.",
        labels=dict.fromkeys(labels, ""),
        positive=_positive(labels) if is_pair and len(labels) == 2 else None,
        data=DataSpec(
            train=str(path),
            columns=Columns(
                text=texts if is_pair else texts[0], answer=answers, id=id, group=group
            ),
            format=format,
        ),
        source=str(path),
    )


def _shared_instruction(path: Path, format: str) -> str:
    """The one instruction that stands apart from every input; empty where there is none."""
    columns = {"instruction", "input", "text"}
    shared: set[object] = set()
    for _, row in reader_for(path, format).rows(path):
        shared.add(row["instruction"] if columns <= set(row) and row["input"] else "")
        if len(shared) > 1:
            return ""
    return str(*shared)


def _name_of(path: Path) -> str:
    """The file's name without endings; of a part of a file the part's."""
    place, part = file_and_part(path)
    name = part if part and place.is_file() else place.name
    return name.partition(".")[0].replace(":", "-")


def _entity_task(
    path: Path, format: str, texts: tuple[str, ...], id: str | None, group: str | None
) -> TaskSpec:
    """An extract task, its types by falling frequency."""
    layout = Layout(
        text_columns=texts,
        answer_column=ENTITIES,
        id_column=id,
        group_column=group,
        answer_form="entities",
    )
    kind = kinds.REGISTRY.get("extract")()
    answers = read_examples(path, layout, format=format).answers
    counts = Counter(label for answer in answers for label in kind.labels_in(answer))
    if not counts:
        hint = "name the column of the label, if these are no entities"
        raise DataError(f"{path}: the column {ENTITIES!r} is empty in every row", hint=hint)
    return TaskSpec(
        name=_name_of(path),
        kind=kind,
        instruction="List the entities in the text, each with its type.",
        labels=dict.fromkeys((label for label, _ in counts.most_common()), ""),
        data=DataSpec(
            train=str(path),
            columns=Columns(text=texts[0], answer=ENTITIES, id=id, group=group),
            format=format,
        ),
        source=str(path),
    )


def _read(task: TaskSpec, name: str) -> Examples:
    path = data_path(name)
    if not is_there(path):
        raise DataError(
            f"task {task.name}: no data file {name}, looked for {path.absolute()}",
            hint="set TEXTUNE_DATA to the folder that holds it",
        )
    return read_examples(path, layout_of(task), format=task.data.format)


def _check_shared_ids(train: Examples, test: Examples) -> None:
    known = {row.id: row.texts for row in train}
    for row in test:
        if known.get(row.id, row.texts) != row.texts:
            raise DataError(
                f"the id {row.id!r} names different examples in {train.source} and {test.source}",
                hint="give every example its own id, or name no id column",
            )


def _text_columns(text: str, columns: list[str], path: Path) -> tuple[str, ...]:
    if text == "auto":
        return _found(TEXT_NAMES, columns, path, "text")
    texts = (text,) if text in columns else tuple(part.strip() for part in text.split(","))
    for column in texts:
        if column not in columns:
            hint = did_you_mean(column, columns)
            raise DataError(f"{path} has no column {column!r}", hint=hint)
    if len(texts) > 2:
        hint = "name one column, or two for a pair"
        raise DataError(f"{len(texts)} text columns: {text}", hint=hint)
    return texts


def _found(
    usual: tuple[tuple[str, ...], ...], columns: list[str], path: Path, role: str
) -> tuple[str, ...]:
    """The one usual name, or pair of names, that is among the columns, whatever its case."""
    actual = {column.lower(): column for column in columns}
    found = [names for names in usual if all(name in actual for name in names)]
    if len(found) == 1:
        return tuple(actual[name] for name in found[0])
    problem = "several columns may be" if found else "no column looks like"
    choices = [",".join(names) for names in found] or columns
    raise DataError(
        f"{path}: {problem} the {role}: {', '.join(choices)}", hint=f"name the {role} column"
    )


def _positive(labels: list[str]) -> str:
    """The label that means yes, else the rarest."""
    return next((label for label in labels if label.lower() in POSITIVE_NAMES), labels[-1])
