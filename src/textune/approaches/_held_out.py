"""What approaches share that fit a number on examples which the approach inside has not seen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from textune.approaches.base import REGISTRY, Approach, Context, Family, Notes, Parts, Predictor
from textune.core.artifacts import read_json, write_json
from textune.core.config import PluginOf
from textune.core.errors import ConfigError, DataError, StoreError
from textune.core.seeds import derive
from textune.data.examples import Example
from textune.data.folds import held_out
from textune.data.predictions import Predictions
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    import numpy as np

    from textune.cost.demand import Demand
    from textune.cost.served import ServedTokens
    from textune.methods.base import Method
    from textune.models.architecture import Drafts


@dataclass(frozen=True, kw_only=True)
class HeldOut(Approach):
    """Another approach, whose predictions change by a number fitted inside the training part."""

    family: ClassVar[Family] = "wrapper"
    reads_prompt: ClassVar[bool] = True
    number: ClassVar[str]
    """What is fitted; names its file and its note."""

    of: Annotated[Approach, PluginOf(REGISTRY)]
    """The approach; it must give scores."""
    valid_fraction: float = 0.2
    """Share of the training part that is held out to fit the number on."""

    def __post_init__(self) -> None:
        if not 0 < self.valid_fraction < 1:
            hint = "it is a share above 0 and below 1, for example 0.2"
            raise ConfigError(f"valid_fraction cannot be {self.valid_fraction}", hint=hint)

    @abstractmethod
    def fitted_to(
        self, said: Predictions, scores_NC: np.ndarray, gold: Sequence[str], task: TaskSpec
    ) -> tuple[float, Notes]:
        """The number that suits predictions and gold answers of N examples, and how well."""

    @abstractmethod
    def changed(
        self, said: Predictions, scores_NC: np.ndarray, number: float, task: TaskSpec
    ) -> Predictions:
        """Predictions with the number applied."""

    @property
    def belongs_to(self) -> Family:
        """That of the approach."""
        return self.of.belongs_to

    def warm_up(self, context: Context) -> None:
        """As the approach."""
        self.of.warm_up(context)

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Fit on a share, find the number on the rest, fit on everything."""
        state = derive(seed, self.number)
        inner, held = held_out(train, task.labels_of(train), self.valid_fraction, state)
        first = self.of.fit(task, inner, valid, seed=seed, context=context.within("held-out"))
        try:
            said = first.predict(held)
        finally:
            first.close()
        gold = [str(example.answer) for example in held]
        number, more = self.fitted_to(said, self.scores_of(said), gold, task)
        context.kept()
        last = self.of.fit(task, train, valid, seed=seed, context=context.within("whole"))
        predictor = HeldOutPredictor(self, last, task, number, {"held": len(held), **more})
        predictor.settled = last.settled and replace(self, of=last.settled)
        return predictor

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From a file with the number, and the folder ``of``."""
        path = folder / f"{self.number}.json"
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get(self.number), float):
            raise StoreError(f"damaged {path}", hint="fit it again, or take it from a copy")
        inside = self.of.load(task, folder / "of", context=context)
        return HeldOutPredictor(self, inside, task, content.pop(self.number), content)

    def scores_of(self, said: Predictions) -> np.ndarray:
        """The scores that the number is about.

        Raises:
            DataError: there are none.
        """
        if said.scores is None:
            problem = f"a {self.number} needs scores, and {self.of.label()} gives none"
            raise DataError(problem, hint=f"leave {self.name} out")
        return said.scores

    def resolved(self) -> HeldOut:
        """With the approach resolved."""
        return replace(self, of=self.of.resolved())

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand | None:
        """That of both fits."""
        whole = self.of.forecast(task, parts, drafts)
        first = self.of.forecast(task, self._inner(parts), drafts)
        return None if whole is None or first is None else whole.after(first, times=1)

    def served_tokens(self, task: TaskSpec, parts: Parts) -> dict[str, ServedTokens]:
        """Those of both fits."""
        from textune.cost.served import together

        first = self.of.served_tokens(task, self._inner(parts))
        return together(first, self.of.served_tokens(task, parts))

    def min_train(self, task: TaskSpec) -> int:
        """So many that enough are left when some are held out."""
        return 1 + round(max(self.of.min_train(task), 2) / (1 - self.valid_fraction))

    @property
    def base(self) -> str | None:
        """That of the approach."""
        return self.of.base

    @property
    def models(self) -> tuple[str, ...]:
        """Those of the approach."""
        return self.of.models

    @property
    def tuning(self) -> Method | None:
        """That of the approach."""
        return self.of.tuning

    @property
    def identity(self) -> str:
        """That of the approach."""
        return f"{self.of.revision} {self.of.identity}"

    def _inner(self, parts: Parts) -> Parts:
        """As many examples as the first fit has; which ones does not matter for its cost."""
        cut = len(parts.train) - round(self.valid_fraction * len(parts.train))
        return Parts(parts.train[:cut], parts.valid, parts.train[cut:])


class HeldOutPredictor(Predictor):
    """A predictor and the number that changes what it says."""

    def __init__(
        self,
        approach: HeldOut,
        inside: Predictor,
        task: TaskSpec,
        number: float,
        more: Notes,
    ) -> None:
        self.approach = approach
        self.inside = inside
        self.task = task
        self.number = number
        self.more = more
        name = approach.number
        self.notes = {**inside.notes, name: number}
        self.notes |= {f"{name}_{key}": value for key, value in more.items()}
        self.trials = inside.trials
        self.total_params = inside.total_params
        self.trainable_params = inside.trainable_params

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What the predictor says, changed."""
        said = self.inside.predict(examples)
        if not examples:
            return said
        scores_NC = self.approach.scores_of(said)
        return self.approach.changed(said, scores_NC, self.number, self.task)

    def save(self, folder: Path) -> None:
        """A file with the number, and what the predictor saves in ``of``."""
        name = self.approach.number
        write_json(folder / f"{name}.json", {name: self.number, **self.more})
        (folder / "of").mkdir()
        self.inside.save(folder / "of")

    def num_cut(self, examples: Sequence[Example]) -> int:
        """As the predictor."""
        return self.inside.num_cut(examples)

    def close(self) -> None:
        """Give back what the predictor borrowed."""
        self.inside.close()
