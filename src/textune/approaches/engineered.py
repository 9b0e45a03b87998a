"""Another approach that prompts, worded in the way that is best inside the training part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from textune.approaches.base import (
    LABEL_KINDS,
    REGISTRY,
    Approach,
    Context,
    Family,
    Parts,
    Predictor,
)
from textune.core.artifacts import read_json, write_json
from textune.core.config import PluginOf, parse, plain
from textune.core.errors import ConfigError
from textune.core.seeds import derive
from textune.cost.served import ServedTokens, together
from textune.data.examples import Example
from textune.data.folds import held_out
from textune.data.predictions import Predictions
from textune.prompts.template import instruction_text
from textune.prompts.wording import DEFAULT, Wording
from textune.results.record import Setting, Trial
from textune.tasks.base import TaskSpec
from textune.training.search import best, run_trials

if TYPE_CHECKING:
    from textune.cost.demand import Demand
    from textune.models.architecture import Drafts

FORMS = (
    DEFAULT,
    Wording(definitions=False),
    Wording(place="after"),
    Wording(order="reversed"),
)
"""What is tried without a word of the user: other forms of the same instruction."""
NAME = "wording.json"


@dataclass(frozen=True, kw_only=True)
class Engineered(Approach):
    """Another approach that prompts, worded in the way that is best inside the training part.

    Prompt engineering as a measured step: each wording answers the same held-out examples of the
    training part, the one with the best main metric is used, the first of equal ones. Every trial
    is on record, and its cost counts.
    """

    family: ClassVar[Family] = "wrapper"
    kinds: ClassVar[frozenset[str]] = LABEL_KINDS | {"extract"}
    reads_prompt: ClassVar[bool] = True

    of: Annotated[Approach, PluginOf(REGISTRY)]
    """The approach; it must prompt a model that is not trained."""
    wordings: tuple[Wording, ...] = FORMS
    """What is tried; by default the task's own prompt, without definitions, with the instruction
    behind the input, and with the labels in reversed order."""
    examples: int = 100
    """Most examples that each wording is tried on; at most half of the training part."""

    def __post_init__(self) -> None:
        if not self.wordings:
            raise ConfigError("wordings cannot be empty", hint="leave it out, or give some")
        if self.examples < 1:
            raise ConfigError(f"examples cannot be {self.examples}", hint="it must be 1 or more")

    @property
    def belongs_to(self) -> Family:
        """That of the approach."""
        return self.of.belongs_to

    def check(self, task: TaskSpec) -> None:
        """As the approach with each wording."""
        super().check(task)
        for wording in self.wordings:
            self.of.worded(wording).check(task)

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
        """Try each wording on a share, fit with the best one on everything."""
        from textune.training.objective import main_score

        strata = [task.kind.stratum(str(e.answer)) for e in train]
        share = min(0.5, self.examples / len(train))
        inner, held = held_out(train, strata, share, derive(seed, "wording"))
        tried = different(task, self.wordings)

        def evaluate(number: int) -> float:
            within = context.within(f"wording-{number}")
            approach = self.of.worded(tried[number])
            predictor = approach.fit(task, inner, valid, seed=seed, context=within)
            try:
                return main_score(predictor.predict(held), task, held)
            finally:
                predictor.close()
                context.kept()

        path = context.work / "wordings.json" if context.work else None
        trials = run_trials(
            lambda done: settings_of(tried[len(done)]),
            lambda number, _: evaluate(number),
            len(tried),
            path=path,
        )
        chosen = tried[trials.index(best(trials))]
        last = self.of.worded(chosen).fit(
            task, train, valid, seed=seed, context=context.within("whole")
        )
        last.notes |= {
            "wording": chosen.label() or "default",
            "search_train": len(inner),
            "search_valid": len(held),
        }
        return EngineeredPredictor(last, chosen, trials)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From ``wording.json``, and what the approach with that wording loads."""
        path = folder / NAME
        chosen = parse(Wording, read_json(path), where=str(path))
        inside = self.of.worded(chosen).load(task, folder, context=context)
        return EngineeredPredictor(inside, chosen, [])

    def resolved(self) -> Engineered:
        """With the approach resolved."""
        return replace(self, of=self.of.resolved())

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand | None:
        """That of the approach, and of as many trials as there are wordings."""
        whole = self.of.forecast(task, parts, drafts)
        trial = self.of.forecast(task, self._inner(parts), drafts)
        if whole is None or trial is None:
            return None
        return whole.after(trial, times=len(different(task, self.wordings)))

    def served_tokens(self, task: TaskSpec, parts: Parts) -> dict[str, ServedTokens]:
        """Those of the approach, and of a trial with each wording."""
        found = self.of.served_tokens(task, parts)
        for wording in different(task, self.wordings):
            trial = self.of.worded(wording).served_tokens(task, self._inner(parts))
            found = together(found, trial)
        return found

    def label(self) -> str:
        """The approach's with what it is."""
        return f"{self.of.label()}, best of {len(self.wordings)} wordings"

    def min_train(self, task: TaskSpec) -> int:
        """So many that enough are left when half of them are held out."""
        return 2 * max(self.of.min_train(task), len(task.labels))

    def _inner(self, parts: Parts) -> Parts:
        """What a trial is fitted and scored on, as for its size."""
        num_held = max(1, min(self.examples, len(parts.train) // 2))
        cut = len(parts.train) - num_held
        return Parts(parts.train[:cut], parts.valid, parts.train[cut:])

    @property
    def base(self) -> str | None:
        """That of the approach."""
        return self.of.base

    @property
    def models(self) -> tuple[str, ...]:
        """Those of the approach."""
        return self.of.models

    @property
    def identity(self) -> str:
        """That of the approach."""
        return f"{self.of.revision} {self.of.identity}"


class EngineeredPredictor(Predictor):
    """A predictor with the wording that was chosen."""

    def __init__(self, inside: Predictor, wording: Wording, trials: Sequence[Trial]) -> None:
        self.inside = inside
        self.wording = wording
        self.trials = trials
        self.notes = inside.notes
        self.total_params = inside.total_params
        self.trainable_params = inside.trainable_params

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What the predictor says."""
        return self.inside.predict(examples)

    def save(self, folder: Path) -> None:
        """``wording.json`` beside what the predictor saves."""
        write_json(folder / NAME, plain(self.wording))
        self.inside.save(folder)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """As the predictor."""
        return self.inside.num_cut(examples)

    def close(self) -> None:
        """Give back what the predictor borrowed."""
        self.inside.close()


def different(task: TaskSpec, wordings: Sequence[Wording]) -> list[Wording]:
    """Those that make different prompts: a task without definitions cannot leave them out."""
    by_prompt: dict[tuple[str, str], Wording] = {}
    for wording in wordings:
        by_prompt.setdefault((instruction_text(task, wording), wording.place), wording)
    return list(by_prompt.values())


def settings_of(wording: Wording) -> dict[str, Setting]:
    """What differs from the default, as a trial records it."""
    changed = {
        name: value if isinstance(value, str) else str(value).lower()
        for name, value in vars(wording).items()
        if value != getattr(DEFAULT, name)
    }
    return dict(changed) or {"wording": "default"}
