"""A language model adapted to the task by a tuning method; it answers as if prompted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from textune.approaches._tuned import TunedPredictor
from textune.approaches.base import (
    LABEL_KINDS,
    Approach,
    Context,
    Family,
    FitPart,
    Parts,
    Predictor,
)
from textune.core.config import PluginOf
from textune.core.errors import ImpossibleError, StoreError
from textune.core.seeds import derive
from textune.data.examples import Example
from textune.methods import base as methods
from textune.methods.base import Method
from textune.methods.lora import LoRA
from textune.models.catalog import find_model
from textune.models.device import AskedPrecision, Precision, precision_of
from textune.prompts.template import REVISION as PROMPT_REVISION
from textune.results.record import Setting
from textune.tasks.base import TaskSpec
from textune.training.search import SearchSpec, best, divided, search, space_of
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

    from textune.cost.demand import Demand
    from textune.models.architecture import Drafts
    from textune.models.load import Loaded


@dataclass(frozen=True, kw_only=True)
class Tuned(Approach):
    """A language model adapted to the task by a tuning method."""

    family: ClassVar[Family] = "tuned"
    revision: ClassVar[int] = 2
    kinds: ClassVar[frozenset[str]] = LABEL_KINDS | {"extract"}
    reads_prompt: ClassVar[bool] = True

    method: Annotated[Method, PluginOf(methods.REGISTRY)] = field(default_factory=LoRA)
    """How the weights are adapted."""
    model: str = "smollm2-135m-instruct"
    """Causal language model: a library name, a Hub id or a folder."""
    training: TrainingSpec = field(default_factory=TrainingSpec)
    """The training loop."""
    search: SearchSpec | None = None
    """Trials inside the training part that choose the settings first; their cost is the cell's."""
    precision: AskedPrecision = "auto"
    """Number format of the weights; ``auto`` is what this machine multiplies fastest."""

    def warm_up(self, context: Context) -> None:
        """Have the frozen base in memory."""
        self._borrow(context)

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Adapt, train on the training part, keep the best epoch by ``valid`` if there is one."""
        if self.search is None:
            return self._trained(task, train, valid, seed=seed, context=context)
        from textune.training.objective import main_score

        inner, held = divided(train, task.kind, self.search, seed=seed)
        each, last = (self.training.total_steps(len(part)) for part in (inner, train))

        def within(number: int) -> Context:
            """The context of a training that follows so many trials."""
            return context.part(f"trial-{number}", each * number, each * trials + last)

        def evaluate(number: int, settings: Mapping[str, Setting]) -> float:
            predictor = self.with_settings(settings)._trained(
                task, inner, [], seed=seed, context=within(number)
            )
            try:
                return main_score(predictor.predict(held), task, held)
            finally:
                predictor.close()
                context.kept()

        trials = self.search.trials
        path = context.work / "search.json" if context.work else None
        space = space_of(self.method, self._lr(), self.search)
        tried = search(space, evaluate, self.search, seed=seed, path=path)
        settled = self.with_settings(best(tried).settings)
        predictor = settled._trained(task, train, valid, seed=seed, context=within(trials))
        predictor.trials, predictor.settled = tried, settled
        predictor.notes |= {"search_train": len(inner), "search_valid": len(held)}
        return predictor

    def with_settings(self, settings: Mapping[str, Setting]) -> Tuned:
        """What a search tries: another learning rate, other options of the method."""
        options = {name: value for name, value in settings.items() if name != "lr"}
        training = replace(self.training, lr=float(settings["lr"]))
        method = replace(self.method, **cast("Any", options))
        return replace(self, method=method, training=training, search=None)

    def _trained(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> TunedPredictor:
        """One training with settled settings."""
        predictor = self._started(task, seed, context)
        try:
            predictor.train(train, valid, self.training, lr=self._lr(), seed=seed, context=context)
        except BaseException:
            predictor.close()
            raise
        return predictor

    def _started(self, task: TaskSpec, seed: int, context: Context) -> TunedPredictor:
        """The base with the first weights of a seed."""
        import torch

        loaded = self._borrow(context)
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "adapter"))
            adapted = self.method.apply(loaded.model, [])
        return self._predictor(task, loaded, adapted, context)

    @property
    def stands_beside(self) -> bool:
        """Where the method can, and nothing is searched."""
        return self.method.stackable and self.search is None

    def fit_beside(self, task: TaskSpec, parts: Sequence[FitPart]) -> Iterator[Predictor]:
        """All parts over the one frozen base, as many at once as memory allows."""
        from textune.approaches._beside import fit_beside

        def start(part: FitPart) -> TunedPredictor:
            return self._started(task, part.seed, part.context)

        return fit_beside(start, parts, self.training, self._lr())

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """The base from the catalog, what training changed from ``adapter``."""
        loaded = self._borrow(context)
        try:
            adapted = self.method.load(loaded.model, folder / "adapter")
        except StoreError:
            context.pool.drop()  # a part of it may be in the base
            raise
        return self._predictor(task, loaded, adapted.eval(), context)

    def merged(self, folder: Path, *, context: Context) -> PreTrainedModel:
        """The base in 16 or 32 bits, also where training held it in 4, with the change in it."""
        return self._merged(folder, precision_of(self.precision), context)

    def as_lora(
        self, folder: Path, adapter: Path, rank: int, *, context: Context
    ) -> tuple[Tuned, float]:
        """The change of every linear layer, computed in fp32, by its largest singular values."""
        from textune.models.low_rank import low_rank_change, save_lora

        self._check_mergeable()
        base = context.pool.borrow(find_model(self.model), "float32", "none").model
        before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
        context.pool.give_back()
        merged = self._merged(folder, "float32", context)
        change = low_rank_change(before, merged, rank)
        save_lora(change, adapter, base=str(merged.config.name_or_path))
        return replace(self, method=LoRA(rank=rank, alpha=rank), search=None), change.kept

    def _check_mergeable(self) -> None:
        if not self.method.mergeable:
            raise ImpossibleError(
                f"what {self.method.name} learns cannot be folded into a model",
                hint="use the bundle as it is, or its adapter folder with peft",
            )

    def _merged(self, folder: Path, precision: Precision, context: Context) -> PreTrainedModel:
        self._check_mergeable()
        loaded = context.pool.borrow(find_model(self.model), precision, "none")
        merged: Any = self.method.merge(self.method.load(loaded.model, folder / "adapter"))
        context.pool.drop()  # its base has the change in it now
        return cast("PreTrainedModel", merged)

    def resolved(self) -> Tuned:
        """With the number format of this machine and the method's learning rate."""
        training = replace(self.training, lr=self._lr())
        return replace(self, precision=precision_of(self.precision), training=training)

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand:
        """From the largest step, run without weights, and the lengths of all inputs."""
        from textune.engine.causal import CausalEngine
        from textune.engine.readout import make_readout, training_items
        from textune.prompts.tokens import make_prompter
        from textune.training.forecast import Course, tuning_demand
        from textune.training.objective import objective_of

        draft = drafts.of(self.model)
        prompter = make_prompter(task, [], draft.tokenizer, context=draft.context)
        train, valid, test = (
            drafts.tokens((self.model, part), lambda part=part: prompter.prompts(part))  # type: ignore[misc]  # bound to each part
            for part in (tuple(parts.train), tuple(parts.valid), tuple(parts.test))
        )
        items = training_items(prompter, parts.train, train)
        model = draft.weightless(precision_of(self.precision))
        like = make_readout(CausalEngine(model), prompter)
        added, writes = like.added(parts.train), like.writes

        def loss(adapted: nn.Module, engine: CausalEngine) -> Any:
            readout = make_readout(engine, prompter)
            return objective_of(self.method, adapted, readout, self.training.objective).loss

        whole = Course(items, valid, test, added, writes)
        if self.search is None:
            return tuning_demand(self.method, model, whole, self.training, loss)
        inner = len(items) - round(self.search.valid_fraction * len(items))
        trial, trials = Course(items[:inner], [], train[inner:], added, writes), self.search.trials
        return tuning_demand(
            self.method, model, whole, self.training, loss, trial=trial, trials=trials
        )

    def label(self) -> str:
        """The method's name."""
        return self.method.name

    @property
    def base(self) -> str:
        """The language model."""
        return self.model

    @property
    def tuning(self) -> Method:
        """The method."""
        return self.method

    @property
    def identity(self) -> str:
        """The model's weights and the wording of prompts."""
        return f"{find_model(self.model).identity} prompt {PROMPT_REVISION}"

    def _lr(self) -> float:
        return self.training.rate(self.method.lr)

    def _borrow(self, context: Context) -> Loaded:
        model = find_model(self.model)
        return context.pool.borrow(model, precision_of(self.precision), self.method.quantisation)

    def _predictor(
        self, task: TaskSpec, loaded: Loaded, adapted: nn.Module, context: Context
    ) -> TunedPredictor:
        from textune.engine.readout import make_readout
        from textune.prompts.tokens import make_prompter

        engine = self.method.engine(loaded.model, adapted)
        prompter = make_prompter(task, [], loaded.tokenizer, context=loaded.context)
        return TunedPredictor(self.method, adapted, make_readout(engine, prompter), context.pool)
