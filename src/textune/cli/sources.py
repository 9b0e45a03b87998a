"""A task as commands take it: a name, a task file, or labelled data."""

from dataclasses import dataclass
from pathlib import Path

from textune.data.readers.base import is_there
from textune.tasks.base import TaskSpec, library_names, load_task
from textune.tasks.dataset import task_from_file


@dataclass(frozen=True)
class ColumnNames:
    """Which columns of a data file are what, in the words of the command line."""

    text: str = "auto"
    label: str = "auto"
    id: str | None = None
    group: str | None = None
    format: str = "auto"


def task_of(source: str, columns: ColumnNames) -> TaskSpec:
    """The task of that name or file, or one made out of labelled data.

    Raises:
        ConfigError: there is no such task, or its description is wrong.
        DataError: the data make no task.
    """
    if source in library_names() or source.endswith((".yaml", ".yml")):
        return load_task(source, beside=Path())
    if Path(source).suffix or is_there(Path(source)):
        return task_from_file(
            Path(source),
            format=columns.format,
            text=columns.text,
            answer=columns.label,
            id=columns.id,
            group=columns.group,
        )
    return load_task(source)
