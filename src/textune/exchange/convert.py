"""A task's data as files for other programs, with what those need to find them.

Files of prompts are entered in LLaMA-Factory's ``dataset_info.json``; beside files of rows stands
a task file that reads them again.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from textune.core.config import dump_yaml, plain
from textune.core.errors import ImpossibleError, StoreError
from textune.core.files import replacing, write_text
from textune.data.examples import Examples
from textune.data.json_records import json_content
from textune.exchange.writers.base import Writer
from textune.tasks.base import DataSpec, TaskSpec
from textune.tasks.dataset import Dataset

LIST = "dataset_info.json"


def convert_task(task: TaskSpec, dataset: Dataset, out: Path, writer: Writer) -> dict[Path, int]:
    """Write ``<task>_train`` and, where there is a test part, ``<task>_test``.

    What is there already is not overwritten; to a list of data sets ours are added.

    Returns:
        Each data file and its number of examples.

    Raises:
        ImpossibleError: the format cannot hold answers of this kind.
        StoreError: a file or an entry of that name is there, or the folder cannot be written.
    """
    if writer.needs_entities and not task.kind.has_entities:
        raise ImpossibleError(
            f"{writer.name} holds entities, task {task.name} is of kind {task.kind.name}",
            hint="write jsonl or csv",
        )
    parts = {"train": dataset.train} | ({"test": dataset.test} if dataset.test else {})
    files = {out / f"{task.name}_{part}{writer.ending}": rows for part, rows in parts.items()}
    beside = _beside(task, out, list(files), writer)
    for path in (*files, *(path for path in beside if path.name != LIST)):
        if path.exists():
            hint = "remove it, or name another folder"
            raise StoreError(f"{path} is there already", hint=hint)
    for path, rows in files.items():
        _write(path, task, rows, writer)
    for path, text in beside.items():
        write_text(path, text)
    return {path: len(rows) for path, rows in files.items()}


def _write(path: Path, task: TaskSpec, examples: Examples, writer: Writer) -> None:
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        stream.writelines(writer.pieces(task, examples.rows))


def _beside(task: TaskSpec, out: Path, files: list[Path], writer: Writer) -> dict[Path, str]:
    """What stands beside the data files: path -> text."""
    columns = writer.columns(task)
    if columns is not None:
        train, *test = map(str, files)
        data = DataSpec(
            train=train, test=test[0] if test else None, columns=columns, format=writer.name
        )
        described = plain(replace(task, data=data))
        return {out / f"{task.name}.yaml": dump_yaml(described)}
    if writer.listed is not None:
        entries = {path.stem: {"file_name": path.name, **writer.listed} for path in files}
        return {out / LIST: _listed(out / LIST, entries)}
    return {}


def _listed(path: Path, entries: Mapping[str, Mapping[str, Any]]) -> str:
    """The list of data sets with these added to what it has."""
    known = json_content(path) if path.exists() else {}
    if not isinstance(known, dict):
        raise StoreError(f"{path} is no list of data sets", hint="name another folder")
    if taken := sorted(set(entries) & set(known)):
        hint = "remove it there, or name another folder"
        raise StoreError(f"{path} has an entry {taken[0]!r} already", hint=hint)
    return json.dumps({**known, **entries}, indent=2, ensure_ascii=False) + "\n"
