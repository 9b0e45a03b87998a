"""StudySpec: what a study file says, as it says it; a file with parts makes one for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from textune.approaches.base import REGISTRY, Approach
from textune.core.config import Json, PluginOf, parse, read_yaml
from textune.core.errors import ConfigError, did_you_mean
from textune.core.registry import Spec
from textune.results.parts import RESERVED
from textune.results.run import ProtocolSpec
from textune.tasks.base import TaskSpec, load_task


@dataclass(frozen=True, kw_only=True)
class PartFile(Spec):
    """What a part of a study says for itself; everything else is as the file says."""

    task: str | dict[str, Any] | None = None
    """Instead of the file's."""
    protocol: ProtocolSpec = field(default_factory=ProtocolSpec)
    """Each key that stands here, instead of the file's."""
    approaches: list[Any] = field(default_factory=list)
    """Behind the file's; one of the same label takes the place of the file's."""


@dataclass(frozen=True, kw_only=True)
class StudyFile(Spec):
    """The keys of a study file."""

    name: str
    """Name of the study; its results go to ``runs/<name>``."""
    task: str | dict[str, Any] | None = None
    """A library name, the path of a task file beside this one, or a task written out. Needed,
    unless every part has its own."""
    protocol: ProtocolSpec = field(default_factory=ProtocolSpec)
    """How examples are divided and what is repeated."""
    approaches: list[Any] = field(default_factory=list)
    """``tfidf``, ``{tuned: {method: lora}}``; a key ``label`` beside it names it in tables.
    Needed, unless every part has its own."""
    parts: dict[str, PartFile] = field(default_factory=dict)
    """Several studies in one: name of the part -> what it says for itself. The results of a part
    go to ``runs/<name>/<part>``."""


@dataclass(frozen=True)
class StudySpec:
    """A study, or a part of one, with task and approaches built."""

    name: str
    task: TaskSpec
    protocol: ProtocolSpec
    approaches: dict[str, Approach]
    """Unique label -> approach, in the order of the file."""
    part: str = ""
    """Its name in the file; empty where the file has no parts."""
    parts: tuple[str, ...] = ()
    """All parts of the file, in their order."""

    @property
    def folder(self) -> Path:
        """Where its results go, below the folder of all runs."""
        return Path(self.name, self.part)


def load_studies(path: Path) -> tuple[StudySpec, ...]:
    """The study in a file, or one for each of its parts.

    Raises:
        ConfigError: names the file, the place, the value and a hint.
    """
    return build_studies(read_yaml(path), where=str(path), beside=path.parent)


def build_studies(content: Json, *, where: str, beside: Path) -> tuple[StudySpec, ...]:
    """As ``load_studies``; relative task files are looked for in ``beside``."""
    file = parse(StudyFile, content, where=where)
    assert isinstance(content, dict)
    _check_name(file.name, where)
    for name in file.parts:
        _check_name(name, f"{where}: parts")
    if "parts" in content and not file.parts:
        hint = "for example parts: {one: {task: scicite}, other: {task: scinli}}"
        raise ConfigError(f"{where}: parts: there is none", hint=hint)
    shared = _approaches(file.approaches, where)
    said = content.get("parts", {"": {}}).values()
    studies = []
    for (name, own), words in zip((file.parts or {"": PartFile()}).items(), said, strict=True):
        place = f"{where}: parts.{name}" if name else where
        approaches = shared | _approaches(own.approaches, place)
        if not approaches:
            hint = "for example: approaches: [tfidf]"
            raise ConfigError(f"{place}: 'approaches' is missing or empty", hint=hint)
        protocol = _protocol(content, words, place)
        task = _task(own.task or file.task, place, beside)
        parts = tuple(file.parts)
        studies.append(StudySpec(file.name, task, protocol, approaches, name, parts))
    return tuple(studies)


def build_study(content: Json, *, where: str, beside: Path) -> StudySpec:
    """The one study of plain content without parts."""
    (study,) = build_studies(content, where=where, beside=beside)
    return study


def _check_name(name: str, where: str) -> None:
    if not name or "/" in name or name.startswith(".") or name in RESERVED:
        raise ConfigError(f"{where}: {name!r} cannot name a folder", hint="use plain words")


def _task(reference: Json, where: str, beside: Path) -> TaskSpec:
    if reference is None:
        raise ConfigError(f"{where}: 'task' is missing", hint="add this key")
    try:
        return load_task(reference, beside=beside)
    except ConfigError as error:
        raise error.within(where) from None


def _protocol(file: Mapping[str, Any], part: Mapping[str, Any], where: str) -> ProtocolSpec:
    """The protocol of a part: the file's, key by key replaced by its own."""
    said = {**file.get("protocol", {}), **part.get("protocol", {})}
    protocol = parse(ProtocolSpec, said, where=where)
    _check_protocol(protocol, where)
    return protocol


def _approaches(entries: list[Any], where: str) -> dict[str, Approach]:
    """Label -> approach, of one list."""
    approaches: dict[str, Approach] = {}
    for place, entry in enumerate(entries):
        label, approach = build_approach(entry, where=f"{where}: approaches[{place}]")
        if label in approaches:
            raise ConfigError(
                f"{where}: approaches[{place}]: a second approach is called {label!r}",
                hint=f"give it a name of its own: {{{approach.name}: ..., label: ...}}",
            )
        approaches[label] = approach
    return approaches


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
    for size in (*protocol.sizes, protocol.test_size, protocol.examples):
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
    if protocol.grouped not in (True, False, "auto", "texts"):
        hint = "it is true, false, auto or texts"
        raise ConfigError(f"{where}: protocol.grouped cannot be {protocol.grouped!r}", hint=hint)


def with_protocol(study: StudySpec, **changes: Any) -> StudySpec:
    """The study under a changed protocol."""
    return replace(study, protocol=replace(study.protocol, **changes))
