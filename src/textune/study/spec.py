"""StudySpec: what a study file says, as it says it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textune.approaches.base import REGISTRY, Approach
from textune.core.config import Json, PluginOf, parse, read_yaml
from textune.core.errors import ConfigError, did_you_mean
from textune.core.registry import Spec
from textune.results.run import ProtocolSpec
from textune.tasks.base import TaskSpec, load_task


@dataclass(frozen=True, kw_only=True)
class StudyFile(Spec):
    """The keys of a study file."""

    name: str
    """Name of the study; its results go to ``runs/<name>``."""
    task: str | dict[str, Any]
    """A library name, the path of a task file beside this one, or a task written out."""
    protocol: ProtocolSpec = field(default_factory=ProtocolSpec)
    """How examples are divided and what is repeated."""
    approaches: list[Any]
    """``tfidf``, ``{tuned: {method: lora}}``; a key ``label`` beside it names it in tables."""


@dataclass(frozen=True)
class StudySpec:
    """A study with task and approaches built."""

    name: str
    task: TaskSpec
    protocol: ProtocolSpec
    approaches: dict[str, Approach]
    """Unique label -> approach, in the order of the file."""


def load_study(path: Path) -> StudySpec:
    """Read a study file.

    Raises:
        ConfigError: names the file, the place, the value and a hint.
    """
    return build_study(read_yaml(path), where=str(path), beside=path.parent)


def build_study(content: Json, *, where: str, beside: Path) -> StudySpec:
    """A study from plain content; relative task files are looked for in ``beside``."""
    file = parse(StudyFile, content, where=where)
    if not file.name or "/" in file.name or file.name.startswith("."):
        raise ConfigError(f"{where}: {file.name!r} cannot name a folder", hint="use plain words")
    if not file.approaches:
        raise ConfigError(f"{where}: no approaches", hint="for example: approaches: [tfidf]")
    _check_protocol(file.protocol, where)
    approaches: dict[str, Approach] = {}
    for place, entry in enumerate(file.approaches):
        label, approach = build_approach(entry, where=f"{where}: approaches[{place}]")
        if label in approaches:
            raise ConfigError(
                f"{where}: approaches[{place}]: a second approach is called {label!r}",
                hint=f"give it a name of its own: {{{approach.name}: ..., label: ...}}",
            )
        approaches[label] = approach
    return StudySpec(file.name, load_task(file.task, beside=beside), file.protocol, approaches)


def build_approach(entry: object, *, where: str) -> tuple[str, Approach]:
    """Label and approach of one entry, resolved for this machine."""
    label = None
    if isinstance(entry, dict) and "label" in entry:
        label, entry = entry["label"], {k: v for k, v in entry.items() if k != "label"}
        if not isinstance(label, str) or not label.strip():
            hint = "write it in quotes"
            raise ConfigError(f"{where}: a label must be a word, found {label!r}", hint=hint)
    approach: Approach = PluginOf(REGISTRY).build(entry, where=where)
    return label or approach.label(), approach.resolved()


def _check_protocol(protocol: ProtocolSpec, where: str) -> None:
    splits = ("auto", "fixed", "kfold")
    if protocol.split not in splits:
        hint = did_you_mean(protocol.split, splits)
        raise ConfigError(f"{where}: protocol.split: unknown {protocol.split!r}", hint=hint)
    if not protocol.seeds or len(set(protocol.seeds)) < len(protocol.seeds):
        hint = "for example seeds: [0, 1, 2]"
        raise ConfigError(f"{where}: protocol.seeds must be different, at least one", hint=hint)
    for size in (*protocol.sizes, protocol.test_size):
        if size != "all" and (isinstance(size, str) or size < 2):
            hint = "a size is a number of examples from 2, or all"
            raise ConfigError(f"{where}: protocol: a size cannot be {size!r}", hint=hint)
    if not protocol.sizes or len(set(protocol.sizes)) < len(protocol.sizes):
        hint = "for example sizes: [100, 1000, all]"
        raise ConfigError(f"{where}: protocol.sizes must be different, at least one", hint=hint)
    if not 0 <= protocol.valid_fraction < 1:
        raise ConfigError(
            f"{where}: protocol.valid_fraction cannot be {protocol.valid_fraction}",
            hint="it is a share from 0 to below 1, for example 0.1",
        )
    if protocol.grouped not in (True, False, "auto"):
        hint = "it is true, false or auto"
        raise ConfigError(f"{where}: protocol.grouped cannot be {protocol.grouped!r}", hint=hint)


def with_protocol(study: StudySpec, **changes: Any) -> StudySpec:
    """The study under a changed protocol."""
    return replace(study, protocol=replace(study.protocol, **changes))
