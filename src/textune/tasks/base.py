"""TaskSpec: what is to be predicted, its labels, instruction and data; where tasks are found."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from textune.core.config import Json, PluginOf, parse, read_yaml
from textune.core.errors import ConfigError, did_you_mean
from textune.core.registry import Spec
from textune.data.examples import Example
from textune.data.readers.base import is_there
from textune.data.sources import TextColumns
from textune.tasks.kinds import base as kinds
from textune.tasks.kinds.base import Kind

if TYPE_CHECKING:
    import numpy as np

LIBRARY = files("textune.tasks") / "library"
SAMPLES = files("textune.tasks") / "samples"
SEALED = "sealed: an approach sees the examples of its part only"
"""Stands in the place of a file's name where no file may be read."""


@dataclass(frozen=True, kw_only=True)
class Columns(Spec):
    """Which column of the files is what."""

    text: str | tuple[TextColumns, ...] = "text"
    """The column of the text; two names for a pair. A list of columns in the place of a name
    makes one text of them, joined by a space, empty ones left out."""
    answer: str = "label"
    """The column of the gold label."""
    id: str | None = None
    """The column of a unique id; without one, an id is made from the content."""
    group: str | None = None
    """The column of what must not be split between training and test."""

    def __post_init__(self) -> None:
        if not all(self.text):
            raise ConfigError("columns.text: a text without columns", hint="name at least one")


@dataclass(frozen=True, kw_only=True)
class DataSpec(Spec):
    """The files of a task."""

    train: str
    """File with the training part, or with everything when there is no test file. Some formats
    also read a folder, a part (``dataset_info.json#name``) or the Hub (``hub:owner/name``)."""
    test: str | None = None
    """File with a fixed test part."""
    columns: Columns = field(default_factory=Columns)
    values: dict[str, str] = field(default_factory=dict)
    """Raw value in the answer column -> label name; labels may stand for themselves."""
    marks: tuple[str, ...] = ()
    """Signs in the texts that mark what is asked about: where a text must be cut, what stands
    around them stays."""
    format: str = "auto"
    """A reader's name; ``auto`` goes by the file's ending."""


@dataclass(frozen=True, kw_only=True)
class Published(Spec):
    """One score that others report on a data set; it enters no computation."""

    system: str
    """What was scored: the model and how it was used."""
    metric: str
    """Name of the metric, as in ``textune.evaluation.metrics``."""
    score: float
    """Percent, 0 to 100."""
    split: str
    """What it was scored on."""
    source: str
    """The work or repository that states it."""
    comparable: bool
    """Whether a score on this task's test part may stand beside it."""
    note: str = ""
    """Why it may not, or what else differs."""


@dataclass(frozen=True, kw_only=True)
class TaskSpec(Spec):
    """One task, completely described."""

    name: str
    """Short name, used in tables and folders."""
    title: str = ""
    """One line for people."""
    kind: Annotated[Kind, PluginOf(kinds.REGISTRY)]
    """What is predicted: classify, pair, grade or extract."""
    instruction: str
    """What the model is told to do, without the labels."""
    labels: dict[str, str]
    """Label name -> its definition (may be empty), in the order of tables."""
    answers: dict[str, str] = field(default_factory=dict)
    """Label name -> the word the model writes for it; a label stands for itself."""
    positive: str | None = None
    """The label that precision, recall and F1 of a yes-or-no task are about."""
    data: DataSpec
    """The files."""
    sample: Literal["written by us", "real"] = "real"
    """Whether the data are a small sample written by textune's authors."""
    source: str = ""
    """Where the data come from."""
    corpora: tuple[str, ...] = ()
    """Names of the labelled data that the examples are taken from, written as in what models are
    known to have seen: approaches with such a model are marked."""
    licence: str = ""
    """What the source says about use."""
    citation: str = ""
    """The work to cite."""
    traps: tuple[str, ...] = ()
    """What is known to go wrong with these data."""
    published: tuple[Published, ...] = ()
    """Scores that others report, and whether they compare with ours."""

    def __post_init__(self) -> None:
        if len(self.labels) < self.kind.min_labels:
            least = "two labels" if self.kind.min_labels == 2 else "one label"
            raise ConfigError(f"task {self.name}: needs at least {least}", hint="list them")
        for name in (*self.answers, *self.data.values.values()):
            if name not in self.labels:
                hint = did_you_mean(name, self.labels)
                raise ConfigError(f"task {self.name}: unknown label {name!r}", hint=hint)
        words = list(self.words.values())
        if len({w.strip().lower() for w in words}) < len(words) or not all(map(str.strip, words)):
            raise ConfigError(
                f"task {self.name}: two labels have the same answer word, or one is empty",
                hint="give each label its own word under 'answers'",
            )
        if problem := self.kind.check_labels(list(self.labels), self.positive):
            raise ConfigError(
                f"task {self.name}: {problem}", hint=f"labels: {', '.join(self.labels)}"
            )
        if len(self.text_columns) != self.kind.num_texts:
            raise ConfigError(
                f"task {self.name}: kind {self.kind.name} needs {self.kind.num_texts} text "
                f"column(s), data.columns.text names {len(self.text_columns)}",
                hint="columns: {text: question} or columns: {text: [question1, question2]}",
            )

    @cached_property
    def words(self) -> dict[str, str]:
        """Label name -> the word the model writes for it."""
        return {label: self.answers.get(label, label) for label in self.labels}

    def labels_of(self, examples: Iterable[Example]) -> list[str]:
        """The label of each example's gold answer, where labels are told apart."""
        return [self.kind.label_of(str(example.answer)) for example in examples]

    def answers_from(self, scores_NC: "np.ndarray") -> list[str | None]:
        """The answer that each row of label scores makes."""
        labels = list(self.labels)
        return [self.kind.answer_from(row, labels) for row in scores_NC.tolist()]

    @cached_property
    def sealed(self) -> "TaskSpec":
        """The same without its files: what an approach is given.

        It can read no more than the examples of its part.
        """
        return replace(self, data=replace(self.data, train=SEALED, test=None))

    @property
    def primary_metric(self) -> str:
        """The metric that ranks approaches on this task."""
        with_positive = self.kind.primary_with_positive
        return with_positive if with_positive and self.positive else self.kind.primary_metric

    @property
    def text_columns(self) -> tuple[TextColumns, ...]:
        """Where each text is: a column, or several that make one text."""
        text = self.data.columns.text
        return (text,) if isinstance(text, str) else text


def library_names() -> list[str]:
    """Names of the tasks that come with textune."""
    return sorted(
        p.name.removesuffix(".yaml") for p in LIBRARY.iterdir() if p.name.endswith(".yaml")
    )


def load_task(reference: Json, *, beside: Path | None = None) -> TaskSpec:
    """A task from a library name, the path of a YAML file, or a mapping.

    ``beside`` is the folder against which a relative path is read.

    Raises:
        ConfigError: unknown name, missing file, or a wrong description.
    """
    if isinstance(reference, dict):
        return parse(TaskSpec, reference, where="task")
    name = str(reference)
    if name.endswith((".yaml", ".yml")):
        path = (beside or Path()) / name
        return parse(TaskSpec, read_yaml(path), where=str(path))
    if name not in library_names():
        raise ConfigError(f"unknown task {name!r}", hint=did_you_mean(name, library_names()))
    return parse(TaskSpec, read_yaml(Path(str(LIBRARY / f"{name}.yaml"))), where=f"task {name}")


def data_path(name: str) -> Path:
    """Where a data file of a task is: ``sample:`` inside the package, else below the data folder.

    The data folder is ``$TEXTUNE_DATA``, or ``data`` in the current folder; a path that exists as
    it stands is taken as it stands.
    """
    if name.startswith("sample:"):
        return Path(str(SAMPLES / name.removeprefix("sample:")))
    path = Path(name)
    if path.is_absolute() or is_there(path):
        return path
    return Path(os.environ.get("TEXTUNE_DATA", "data")) / name
