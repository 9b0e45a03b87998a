"""RunSpec: a study with everything resolved, as it stands in a run folder.

``study.yaml`` holds all of it but the cells, for people; ``cells.json`` the cells, of which there
may be thousands. Folders made before that have them in ``study.yaml``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from textune.core import files
from textune.core.config import dump_yaml, parse, plain, read_yaml
from textune.core.errors import ConfigError, StoreError
from textune.core.registry import Spec
from textune.data.examples import Example, Examples
from textune.results import parts
from textune.results.record import CellKey
from textune.tasks.base import TaskSpec

MAY_HAVE_SEEN = "may have seen the test data"
KEPT = "run the study again: finished cells are kept"
"""Hint where the description of a run is damaged."""


@dataclass(frozen=True, kw_only=True)
class ProtocolSpec(Spec):
    """How examples are divided and what is repeated."""

    split: str = "auto"
    """``fixed`` (the task's own test file), ``kfold``, or ``auto``: fixed where there is one."""
    folds: int = 5
    """Number of folds for kfold."""
    grouped: bool | str = "auto"
    """Keep examples of one group in one fold; ``auto``: where the task names a group column;
    ``texts``: also examples that share a text, directly or through others."""
    seeds: tuple[int, ...] = (0,)
    """Seeds of training (not of the folds: all approaches share the same folds)."""
    sizes: tuple[int | str, ...] = ("all",)
    """Numbers of training examples; ``all`` is everything that a fold has."""
    examples: int | str = "all"
    """Examples used of what is divided into folds; a number takes that many, stratified, where
    those that share a group or a text come all or none, however folds are made."""
    test_size: int | str = "all"
    """Test examples used of a fixed test part; a number takes that many, stratified."""
    valid_fraction: float = 0.0
    """Share of a training part that is held out to choose the best checkpoint."""
    split_seed: int = 0
    """Seed of folds, of samples of a size and of the validation part."""


@dataclass(frozen=True, kw_only=True)
class ApproachInfo(Spec):
    """An approach as the study resolved it."""

    spec: dict[str, object]
    """``{name: {option: value}}`` with every option written out."""
    family: str
    """``baseline``, ``small model``, ``prompted`` or ``tuned``."""
    model: str | None = None
    """Base model, where there is one."""
    method: str | None = None
    """Tuning method, where there is one."""
    served_by: str = ""
    """How the fitted approach can be served, in words."""
    seen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Name of a model that it rests on -> which of the labelled data that the task's examples are
    taken from it was trained on, as far as the catalog of models knows."""

    @property
    def doubt(self) -> str | None:
        """Why it may have seen tested examples, where that is so."""
        trained = (f"{name} was trained on {' and '.join(on)}" for name, on in self.seen.items())
        return "; ".join(trained) or None


def doubts(approaches: Mapping[str, ApproachInfo]) -> list[str]:
    """For each model that may have seen tested examples who stands on it, and why."""
    labels: dict[str, list[str]] = {}
    for label, info in approaches.items():
        if info.doubt:
            labels.setdefault(info.doubt, []).append(label)
    return [f"{', '.join(names)}: {doubt}" for doubt, names in labels.items()]


@dataclass(frozen=True, kw_only=True)
class PlannedCell(Spec):
    """A cell of the study and the fingerprint that names its folder."""

    fingerprint: str
    cell: CellKey


@dataclass(frozen=True, kw_only=True)
class _Cells(Spec):
    """The content of ``cells.json``, under a name."""

    cells: tuple[PlannedCell, ...]


@dataclass(frozen=True, kw_only=True)
class RunSpec(Spec):
    """A study with everything resolved."""

    textune: str
    name: str
    task: TaskSpec
    protocol: ProtocolSpec
    """With ``auto`` and ``all`` replaced by what they became."""
    approaches: dict[str, ApproachInfo]
    """Label -> approach, in the order of the study file."""
    data_hash: dict[str, str]
    num_examples: dict[str, int]
    versions: dict[str, str] = field(default_factory=dict)
    hardware: str = ""
    cells: tuple[PlannedCell, ...] = ()

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of all cells of the study, in plan order."""
        return [c.fingerprint for c in self.cells]


def save_run(root: Path, run: RunSpec, tested: Examples) -> None:
    """Write the study, its cells, and the examples that are ever tested on (for reports).

    Raises:
        StoreError: the folder cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = plain(run)
    assert isinstance(content, dict), "a dataclass"
    lines = ",\n".join(json.dumps(cell) for cell in content.pop("cells"))
    files.write_text(root / "cells.json", f"[\n{lines}\n]\n")
    files.write_text(root / "study.yaml", dump_yaml(content))
    table = pa.table(
        {
            "id": [e.id for e in tested],
            "texts": [list(e.texts) for e in tested],
            "gold": [e.answer for e in tested],
            "group": pa.array([e.group for e in tested], pa.string()),
        }
    )
    with files.replacing(root / "examples.parquet") as temporary:
        pq.write_table(table, temporary)


def load_run(root: Path) -> RunSpec:
    """The resolved study of a run folder.

    Raises:
        StoreError: this is no run folder, or its description is damaged.
    """
    path = root / "study.yaml"
    if parts.has_parts(root):
        names = parts.load_parts(root).parts
        raise StoreError(
            f"{root} holds {len(names)} parts, each a run of its own",
            hint=f"name one: {', '.join(str(root / name) for name in names)}",
        )
    if not path.is_file():
        raise StoreError(
            f"{root} is no run folder: it has no study.yaml", hint="run a study first"
        )
    try:
        run = parse(RunSpec, read_yaml(path), where=str(path))
        if not run.cells:
            run = replace(run, cells=_load_cells(root / "cells.json"))
        if unknown := {each.cell.approach for each in run.cells} - run.approaches.keys():
            what = f"cells.json: no approach {min(unknown)!r} in study.yaml"
            raise ConfigError(what, hint=KEPT)
    except ConfigError as error:
        raise StoreError(
            f"{root} is no run folder, or damaged: {error.message}", hint=KEPT
        ) from None
    return run


def _load_cells(path: Path) -> tuple[PlannedCell, ...]:
    try:
        content = {"cells": json.loads(path.read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", hint=KEPT) from None
    return parse(_Cells, content, where=str(path)).cells


def load_tested(root: Path) -> Examples:
    """The examples that the run tests on, with texts and gold answers.

    Raises:
        StoreError: the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = root / "examples.parquet"
    try:
        with pq.ParquetFile(path) as file:
            rows = file.read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"damaged {path}: {error}", hint=KEPT) from None
    return Examples(
        tuple(Example(r["id"], tuple(r["texts"]), r["gold"], r["group"]) for r in rows),
        source=str(path),
    )
