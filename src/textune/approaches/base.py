"""Approach: a way to solve a task, with ``fit``; Predictor: what comes out, with ``predict``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textune.core.errors import ImpossibleError
from textune.core.registry import Plugin, Registry
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.device import usable_bytes
from textune.prompts.wording import Wording
from textune.results.record import Trial
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from textune.cost.demand import Demand
    from textune.cost.served import ServedTokens
    from textune.methods.base import Method
    from textune.models.architecture import Drafts
    from textune.models.load import Pool

Family = Literal["baseline", "small model", "prompted", "tuned", "wrapper"]
LABEL_KINDS = frozenset({"classify", "multilabel", "pair", "grade"})
"""Kinds of task whose answers follow from scores of the labels."""
PAIR_KINDS = frozenset({"pair", "grade"})
"""Those of them with two texts."""
Notes = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Parts:
    """Examples of a cell."""

    train: Sequence[Example]
    valid: Sequence[Example]
    test: Sequence[Example]


@dataclass(frozen=True)
class FitPart:
    """What one of several fits learns from that are done side by side."""

    train: Sequence[Example]
    valid: Sequence[Example]
    seed: int
    context: Context


@dataclass
class Context:
    """What a worker lends to the approaches that run in it."""

    work: Path | None = None
    """Folder for checkpoints of the fit in progress; None: keep none."""
    report: Callable[[int, int, float], None] = lambda *_: None
    """Told about progress: (steps done, all steps, loss)."""
    kept: Callable[[], None] = lambda: None
    """Told after each checkpoint: what was spent until now will not be spent again."""
    checkpoint_seconds: float = 30.0
    """Least time between two checkpoints."""
    memory: int = field(default_factory=usable_bytes)
    """Bytes that a fit may take, the model included; steps that want more are divided."""
    _pool: list[Any] = field(default_factory=list)

    def within(self, name: str) -> Context:
        """For one of several trainings of a fit: its checkpoints go to a folder of their own."""
        if self.work is None:
            return self
        (self.work / name).mkdir(exist_ok=True)
        return replace(self, work=self.work / name)

    def part(self, name: str, before: int, total: int) -> Context:
        """For one of several trainings of a fit, which begins after ``before`` of ``total`` steps.

        Checkpoints go to a folder of their own.
        """
        return replace(
            self.within(name),
            report=lambda step, _, loss: self.report(before + step, total, loss),
        )

    @property
    def pool(self) -> Pool:
        """The one base model of this worker; torch is imported when it is first asked for."""
        if not self._pool:
            from textune.models.load import Pool

            self._pool.append(Pool())
        pool: Pool = self._pool[0]
        return pool

    def pool_drop(self) -> None:
        """Forget the base model, after a failure that may have left it in any state."""
        for pool in self._pool:
            pool.drop()


class Predictor(ABC):
    """A fitted approach."""

    notes: Notes
    """What ``auto`` became, losses, chosen settings."""
    trials: Sequence[Trial] = ()
    """What was tried before, where the approach searches for its settings."""
    settled: Approach | None = None
    """The approach with the settings that a search chose."""
    total_params: int | None = None
    trainable_params: int | None = None

    @abstractmethod
    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Answers and scores in the order of the examples."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything that ``Approach.load`` needs into an existing folder; no pickle."""

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many of these examples it cannot read whole: they are cut, or read in windows."""
        return 0

    def close(self) -> None:  # noqa: B027  # optional: most borrow nothing
        """Give back what was borrowed from the worker; no prediction is possible afterwards."""


@dataclass(frozen=True, kw_only=True)
class Approach(Plugin, ABC):
    """A way to solve a task."""

    family: ClassVar[Family]
    """What readers of a table compare with what."""
    kinds: ClassVar[frozenset[str]] = LABEL_KINDS
    """Kinds of task that it can solve."""
    reads_prompt: ClassVar[bool] = False
    """Whether instruction, definitions and answer words can change its result."""

    @property
    def is_deterministic(self) -> bool:
        """Whether seeds change nothing: then one cell stands for those of all seeds."""
        return False

    def warm_up(self, context: Context) -> None:  # optional: most need nothing
        """Have ready what the cells of a worker share: libraries, a base model in memory.

        It is no part of a cell's cost, which would then depend on what ran before it.

        Raises:
            ModelError: the weights cannot be had or loaded.
        """

    @abstractmethod
    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Learn from the training part; ``valid`` (may be empty) only chooses among checkpoints.

        Raises:
            TextuneError: the parts do not go together, or the data are too few.
        """

    @property
    def stands_beside(self) -> bool:
        """Whether ``fit_beside`` can do several fits in one pass."""
        return False

    def fit_beside(self, task: TaskSpec, parts: Sequence[FitPart]) -> Iterator[Predictor]:
        """As ``fit`` of every part, but for roundings; each is to be closed before the next.

        All is learnt when the first is given.

        Raises:
            ImpossibleError: the parts cannot be fitted side by side, as where memory is short.
        """
        raise ImpossibleError(f"{self.name} fits one part after the other", hint="do it so")

    @abstractmethod
    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """A predictor from what its ``save`` wrote.

        Raises:
            StoreError: the folder is damaged; names the file.
        """

    def merged(self, folder: Path, *, context: Context) -> PreTrainedModel:
        """A plain language model with what a predictor's ``save`` wrote folded in.

        Raises:
            ImpossibleError: there is no language model, or nothing that could be folded in.
            StoreError: the folder is damaged; names the file.
        """
        raise ImpossibleError(
            f"{self.name} has no language model of its own to export",
            hint="use the bundle as it is: textune predict",
        )

    def as_lora(
        self, folder: Path, adapter: Path, rank: int, *, context: Context
    ) -> tuple[Approach, float]:
        """Write what a predictor's ``save`` wrote as a LoRA adapter, into a new folder.

        Gives the approach that loads it, and the share of the squared change that it holds.

        Raises:
            ImpossibleError: there is nothing that a LoRA adapter could hold.
            StoreError: the folder is damaged; names the file.
        """
        raise ImpossibleError(
            f"{self.name} has no language model of its own to export",
            hint="use the bundle as it is: textune predict",
        )

    def worded(self, wording: Wording) -> Approach:
        """The same with prompts of another wording.

        Raises:
            ImpossibleError: it writes no prompts, or those of training would have to be others.
        """
        raise ImpossibleError(
            f"{self.name} has no prompts whose wording could be chosen",
            hint="choose the wording of: prompted",
        )

    def resolved(self) -> Approach:
        """The same with every ``auto`` that depends on this machine replaced."""
        return self

    def check(self, task: TaskSpec) -> None:
        """Refuse what cannot work, before anything is loaded.

        Raises:
            ImpossibleError: says what does not go together.
        """
        if task.kind.name not in self.kinds:
            raise ImpossibleError(
                f"{self.name} cannot do tasks of kind {task.kind.name} ({task.name})",
                hint=f"it does {', '.join(sorted(self.kinds))}",
            )

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand | None:
        """What a cell will need, from shapes alone; None where nobody can say.

        Raises:
            TextuneError: the model's configuration cannot be had.
        """
        return None

    def served_tokens(self, task: TaskSpec, parts: Parts) -> dict[str, ServedTokens]:
        """About how many tokens a cell will ask of models that run elsewhere, by their names.

        Nobody is asked for it, and what is known already is not taken off.
        """
        return {}

    def label(self) -> str:
        """Its name in tables when the study gives none."""
        return self.name

    def min_train(self, task: TaskSpec) -> int:
        """Fewest training examples that it can work with."""
        return len(task.labels)

    @property
    def belongs_to(self) -> Family:
        """The family that its results stand in."""
        return self.family

    @property
    def base(self) -> str | None:
        """Name of the model that it stands on, where there is one."""
        return None

    @property
    def models(self) -> tuple[str, ...]:
        """Names of all models that its answers rest on; what they have seen is told."""
        return () if self.base is None else (self.base,)

    @property
    def tuning(self) -> Method | None:
        """The tuning method, where there is one."""
        return None

    @property
    def identity(self) -> str:
        """What else decides its result: the weights of its model."""
        return ""


REGISTRY = Registry("textune.approaches", Approach, noun="approach")
