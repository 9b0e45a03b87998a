"""A language model as it is, asked with an instruction and demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textune.approaches.base import LABEL_KINDS, Approach, Context, Family, Notes, Parts, Predictor
from textune.core.artifacts import read_json, write_json
from textune.core.errors import ConfigError
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.catalog import find_model
from textune.models.device import best_precision
from textune.prompts.demonstrations import balanced
from textune.prompts.template import REVISION as PROMPT_REVISION
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    from textune.cost.demand import Demand
    from textune.engine.readout import Readout
    from textune.models.architecture import Drafts


@dataclass(frozen=True, kw_only=True)
class Prompted(Approach):
    """A language model as it is, asked with an instruction and n demonstrations."""

    family: ClassVar[Family] = "prompted"
    kinds: ClassVar[frozenset[str]] = LABEL_KINDS | {"extract"}
    reads_prompt: ClassVar[bool] = True

    model: str = "smollm2-135m-instruct"
    """Causal language model: a library name, a Hub id or a folder."""
    shots: int = 0
    """Demonstrations from the training part, balanced over labels."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """Number format of the weights; ``auto`` is what this machine multiplies fastest."""

    def __post_init__(self) -> None:
        if self.shots < 0:
            raise ConfigError(f"shots cannot be {self.shots}", hint="it must be 0 or more")

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Nothing is trained; demonstrations are drawn from the training part."""
        shown = balanced(train, task, self.shots, seed) if self.shots else []
        return self._predictor(task, shown, context)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From ``demonstrations.json``."""
        rows = read_json(folder / "demonstrations.json")
        shown = [Example(r["id"], tuple(r["texts"]), r["answer"]) for r in rows]
        return self._predictor(task, shown, context)

    def resolved(self) -> Prompted:
        """With the number format of this machine."""
        return replace(self, precision=best_precision()) if self.precision == "auto" else self

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand:
        """From the lengths of all inputs."""
        from textune.engine.causal import CausalEngine
        from textune.engine.forecast import scoring_demand
        from textune.engine.readout import make_readout
        from textune.prompts.tokens import make_prompter

        draft = drafts.of(self.model)
        shown = balanced(parts.train, task, self.shots, 0) if self.shots else []
        prompter = make_prompter(task, shown, draft.tokenizer, context=draft.context)
        precision = self.precision if self.precision != "auto" else best_precision()
        model = draft.weightless(precision)
        readout = make_readout(CausalEngine(model), prompter)
        added = readout.added(parts.train)
        return scoring_demand(
            model, prompter.prompts(parts.test), added=added, writes=readout.writes
        )

    def label(self) -> str:
        """``zero-shot`` or ``n-shot``."""
        return "zero-shot" if self.shots == 0 else f"{self.shots}-shot"

    def min_train(self, task: TaskSpec) -> int:
        """As many as are shown."""
        return self.shots

    @property
    def base(self) -> str:
        """The language model."""
        return self.model

    @property
    def identity(self) -> str:
        """The model's weights and the wording of prompts."""
        return f"{find_model(self.model).identity} prompt {PROMPT_REVISION}"

    def _predictor(self, task: TaskSpec, shown: list[Example], context: Context) -> Predictor:
        from textune.engine.causal import CausalEngine
        from textune.engine.readout import make_readout
        from textune.prompts.tokens import make_prompter

        precision = self.precision if self.precision != "auto" else best_precision()
        loaded = context.pool.borrow(find_model(self.model), precision, "none")
        prompter = make_prompter(task, shown, loaded.tokenizer, context=loaded.context)
        readout = make_readout(CausalEngine(loaded.model), prompter)
        return PromptedPredictor(readout, shown, loaded.num_params)


class PromptedPredictor(Predictor):
    """A readout and the demonstrations that it shows."""

    def __init__(self, readout: Readout, shown: list[Example], total_params: int) -> None:
        self.readout = readout
        self.shown = shown
        self.notes: Notes = {"demonstrations": " ".join(e.id for e in shown)} if shown else {}
        self.total_params = total_params
        self.trainable_params = 0

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Answers by the model, with scores (N, C) where labels are scored."""
        return self.readout.predict(examples)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """Those whose prompt is longer than the context."""
        return self.readout.num_cut(examples)

    def save(self, folder: Path) -> None:
        """The demonstrations; the model is in the catalog."""
        rows = [{"id": e.id, "texts": list(e.texts), "answer": e.answer} for e in self.shown]
        write_json(folder / "demonstrations.json", rows)
