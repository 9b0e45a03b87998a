"""``textune convert`` and ``textune glue``."""

from pathlib import Path

from textune.cli.output import print_json, print_lines
from textune.cli.sources import ColumnNames, task_of
from textune.exchange.convert import convert_task
from textune.exchange.glue import write_submission
from textune.exchange.writers.base import REGISTRY
from textune.tasks.dataset import load_dataset


def convert(source: str, out: Path, to: str, columns: ColumnNames, *, as_json: bool) -> None:
    """Write a task's data in another format."""
    writer = REGISTRY.get(to)()
    task = task_of(source, columns)
    files = convert_task(task, load_dataset(task), out, writer)
    if as_json:
        print_json({str(path): number for path, number in files.items()})
        return
    print_lines([f"{number:,} examples: {path}" for path, number in files.items()])


def submit(part: str, predictions: Path, out: Path, task: str | None, *, as_json: bool) -> None:
    """Write a submission to GLUE."""
    values = task_of(task, ColumnNames()).data.values if task else {}
    path, number = write_submission(part, predictions, out, values)
    if as_json:
        print_json({"output": str(path), "predictions": number})
        return
    print_lines([f"{number:,} predictions: {path}"])
