"""``textune check``."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textune.cli.check_page import print_page
from textune.cli.output import print_json
from textune.cli.sources import ColumnNames, task_of
from textune.cli.token_counts import count_tokens, find_any
from textune.core import files
from textune.core.config import Json, plain
from textune.core.errors import ConfigError, TextuneError
from textune.data.audit import Audit, audit
from textune.data.examples import Examples
from textune.data.findings import by_level
from textune.data.folds import Fold
from textune.evaluation.artefacts import Artefacts, artefact_findings, find_artefacts
from textune.results.run import doubts
from textune.study.draft import Candidate, candidates, study_text
from textune.study.plan import info_of
from textune.study.protocol import Recommended, recommend
from textune.tasks.base import TaskSpec, library_names
from textune.tasks.dataset import Dataset, load_dataset


@dataclass(frozen=True)
class Checked:
    """Everything that is known after looking."""

    task: TaskSpec
    audit: Audit
    approaches: list[Candidate]
    recommended: Recommended | TextuneError
    """A protocol, or why there is none."""
    artefacts: Artefacts | None
    """What blind classifiers get right, where that can be told."""

    @property
    def doubts(self) -> list[str]:
        """Which approaches have a model that may have seen the test data, and why."""
        return doubts({each.label: info_of(each.approach, self.task) for each in self.approaches})


def show(
    source: str,
    columns: ColumnNames,
    *,
    models: Sequence[str],
    study: Path | None,
    as_json: bool,
) -> None:
    """Audit a task or a labelled file; write a study file where one is asked for.

    Raises:
        ConfigError: there is such a study file already.
        DataError: no protocol divides the data, and a study file was asked for.
    """
    if study is not None and study.exists():
        raise ConfigError(f"{study} is there already", hint="name another file, or remove it")
    task = task_of(source, columns)
    checked = look(task, load_dataset(task), models)
    if study is not None:
        if isinstance(checked.recommended, TextuneError):
            raise checked.recommended
        reference = _reference(source, study)
        text = study_text(task, reference, checked.recommended, checked.approaches)
        files.write_text(study, text)
    if as_json:
        print_json(_content(checked, study))
    else:
        print_page(checked, source, study)


def look(task: TaskSpec, dataset: Dataset, models: Sequence[str] = ()) -> Checked:
    """Everything that can be known about a task's data."""
    specs = {name: find_any(name) for name in models}
    rows = [*dataset.train, *(dataset.test or ())]
    found = audit(
        _labelled(task, dataset.train),
        dataset.test and _labelled(task, dataset.test),
        labels=list(task.labels),
        labels_in=task.kind.labels_in,
        said=task.kind.shown,
        token_counts={name: count_tokens(task, rows, spec) for name, spec in specs.items()},
    )
    by_form = {
        form: [name for name, spec in specs.items() if spec.form == form]
        for form in ("causal", "encoder")
    }
    approaches = candidates(task, found, causal=by_form["causal"], encoders=by_form["encoder"])
    try:
        recommended = recommend(task, dataset, found, approach=approaches[0].approach)
    except TextuneError as error:
        return Checked(task, found, approaches, error, None)
    artefacts = _artefacts(task, recommended)
    if artefacts is not None:
        more = artefact_findings(artefacts)
        found = replace(found, findings=by_level([*found.findings, *more]))
    return Checked(task, found, approaches, recommended, artefacts)


def _artefacts(task: TaskSpec, recommended: Recommended) -> Artefacts | None:
    """Under the recommended protocol; where an answer is not one label nothing is asked."""
    if task.kind.is_written:
        return None
    plan = recommended.plan
    parts = dict.fromkeys((tuple(sorted(c.train + c.valid)), c.test) for c in plan.cells)
    folds = [Fold(train, test) for train, test in parts]
    return find_artefacts(_labelled(task, plan.examples), folds, list(task.labels))


def _labelled(task: TaskSpec, examples: Examples) -> Examples:
    """With the label that each answer has where labels are told apart."""
    rows = (replace(row, answer=task.kind.label_of(str(row.answer))) for row in examples)
    return Examples(tuple(rows), source=examples.source)


def _reference(source: str, study: Path) -> str | None:
    """How a study file names the task; None: it writes it out."""
    if source.endswith((".yaml", ".yml")):
        return os.path.relpath(source, study.parent)
    return source if source in library_names() else None


def _content(checked: Checked, study: Path | None) -> dict[str, Json]:
    content: dict[str, Json] = {
        "task": checked.task.name,
        "kind": checked.task.kind.name,
        "audit": plain(checked.audit),
        "artefacts": plain(checked.artefacts),
        "protocol": None,
        "reasons": None,
        "smallest_difference": None,
        "approaches": [each.entry for each in checked.approaches],
        "may_have_seen": list(checked.doubts),
        "study": None if study is None else str(study),
    }
    recommended = checked.recommended
    if isinstance(recommended, TextuneError):
        return content | {"no_protocol": recommended.message}
    return content | {
        "protocol": plain(recommended.protocol),
        "reasons": {setting.key: setting.reason for setting in recommended.settings},
        "smallest_difference": plain(recommended.visible),
    }
