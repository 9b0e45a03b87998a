"""``textune check``."""

from dataclasses import dataclass
from pathlib import Path

from textune.cli.output import print_json, print_lines, print_table
from textune.core.config import plain
from textune.data.audit import Audit, audit
from textune.data.examples import Examples
from textune.evaluation.significance import detectable_difference
from textune.tasks.base import TaskSpec, library_names, load_task
from textune.tasks.dataset import Dataset, load_dataset, task_from_file

ASSUMED_ACCURACY = 0.8
"""Accuracy at which the detectable difference is computed; the page says so."""


@dataclass(frozen=True)
class ColumnNames:
    """Which columns of a data file are what, in the words of the command line."""

    text: str
    label: str
    id: str | None
    group: str | None


def show(source: str, columns: ColumnNames, *, model: str | None, as_json: bool) -> None:
    """Audit a task or a labelled file."""
    task = _task(source, columns)
    dataset = load_dataset(task)
    counts = _token_counts(task, dataset, model) if model else None
    found = audit(
        dataset.train,
        dataset.test,
        labels=list(task.labels),
        labels_in=task.kind.labels_in,
        token_counts=counts,
    )
    num_tested = len(dataset.test or dataset.train)
    visible = detectable_difference(num_tested, accuracy=ASSUMED_ACCURACY)
    if as_json:
        print_json({"task": task.name, "detectable_difference": visible, "audit": plain(found)})
        return
    _print(task, found, num_tested, visible)


def _task(source: str, columns: ColumnNames) -> TaskSpec:
    if source in library_names() or source.endswith((".yaml", ".yml")):
        return load_task(source, beside=Path())
    if Path(source).suffix:
        return task_from_file(
            Path(source),
            text=columns.text,
            answer=columns.label,
            id=columns.id,
            group=columns.group,
        )
    return load_task(source)


def _token_counts(task: TaskSpec, dataset: Dataset, model: str) -> dict[str, list[int]]:
    from transformers import AutoTokenizer

    from textune.models.catalog import find_model
    from textune.models.fetch import local_folder
    from textune.prompts.tokens import make_prompter

    tokenizer = AutoTokenizer.from_pretrained(local_folder(find_model(model)))
    prompter = make_prompter(task, [], tokenizer, context=10**9)
    rows: Examples = dataset.train
    prompts = prompter.prompts([*rows, *(dataset.test or ())])
    return {model: [len(prompt) for prompt in prompts]}


def _print(task: TaskSpec, found: Audit, num_tested: int, visible: float) -> None:
    print_lines([task.title or task.name, ""])
    labels = list(task.labels)
    rows = [
        [
            part.name,
            f"{part.num_examples:,}",
            *(f"{part.labels.get(label, 0):,}" for label in labels),
        ]
        for part in found.parts
    ]
    print_table(["part", "examples", *labels], rows)
    print_lines([""])
    for part in found.parts:
        words = part.words
        print_lines(
            [
                f"{part.name}: {words.median:.0f} words in the median, {words.p95:.0f} at 95 %, "
                f"{words.maximum:.0f} at most"
            ]
        )
    for name, tokens in found.tokens.items():
        print_lines(
            [
                f"prompts for {name}: {tokens.median:.0f} tokens in the median, "
                f"{tokens.p95:.0f} at 95 %, {tokens.maximum:.0f} at most"
            ]
        )
    print_lines(
        [
            f"{num_tested:,} test examples can show accuracy differences from about "
            f"{100 * visible:.1f} points (paired test, accuracy near "
            f"{100 * ASSUMED_ACCURACY:.0f} %, power 80 %)",
            "",
        ]
    )
    for finding in found.findings:
        print_lines([f"{finding.level}: {finding.message}"])
        for excerpt in finding.examples[:3]:
            print_lines([f"    {', '.join(excerpt.ids)}: {excerpt.text}"])
    if not found.findings:
        print_lines(["no findings"])
