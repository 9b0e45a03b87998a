"""A language model as it is, asked with an instruction and demonstrations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from textune.approaches.base import LABEL_KINDS, Approach, Context, Family, Notes, Parts, Predictor
from textune.core.artifacts import read_json, write_json
from textune.core.config import PluginOf, added
from textune.core.errors import ConfigError, ImpossibleError
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.catalog import find_model
from textune.models.device import AskedPrecision, precision_of
from textune.prompts.choosers import base as choosers
from textune.prompts.choosers.balanced import Balanced
from textune.prompts.choosers.base import Chooser, Embed, Matcher
from textune.prompts.template import REVISION as PROMPT_REVISION
from textune.prompts.wording import DEFAULT, Wording
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    from textune.cost.demand import Demand
    from textune.engine.causal import CausalEngine
    from textune.engine.readout import Readout
    from textune.models.architecture import Drafts
    from textune.models.load import Loaded
    from textune.prompts.tokens import Prompter

MOST_TOKENS = {"free": 32, "reasoned": 256}
"""What ``auto`` becomes as the most tokens of a free answer and of a reasoning."""


@dataclass(frozen=True, kw_only=True)
class Prompted(Approach):
    """A language model as it is, asked with an instruction and n demonstrations."""

    family: ClassVar[Family] = "prompted"
    revision: ClassVar[int] = 2
    kinds: ClassVar[frozenset[str]] = LABEL_KINDS | {"extract"}
    reads_prompt: ClassVar[bool] = True

    model: str = "smollm2-135m-instruct"
    """Causal language model: a library name, a Hub id or a folder."""
    shots: int = 0
    """Demonstrations from the training part."""
    choose: Annotated[Chooser, PluginOf(choosers.REGISTRY)] = added(Balanced())
    """How demonstrations are chosen."""
    wording: Wording = added(DEFAULT)
    """How the prompt says what is asked."""
    answers: Literal["constrained", "free", "reasoned"] = added("constrained")
    """``constrained``: labels are scored, and what is no closed set is written, kept to its form.
    ``free``: written as the model likes and read; what cannot be read is invalid. ``reasoned``:
    chain of thought, the model reasons first, then labels are scored."""
    most_tokens: int | Literal["auto"] = added("auto")
    """Most tokens of a label that is written freely (``auto``: 32) or of a reasoning (``auto``:
    256); lists may always have what their text needs."""
    calibrated: bool = added(False)
    """Contextual calibration (Zhao et al., 2021): scores of labels are divided by those that the
    prompt makes of inputs without content."""
    precision: AskedPrecision = "auto"
    """Number format of the weights; ``auto`` is what this machine multiplies fastest."""

    def __post_init__(self) -> None:
        if self.shots < 0:
            raise ConfigError(f"shots cannot be {self.shots}", hint="it must be 0 or more")
        if self.shots == 0 and self.choose != Balanced():
            hint = "say how many: shots: 8"
            raise ConfigError(f"{self.choose.name} has no demonstrations to choose", hint=hint)
        if self.answers == "reasoned" and self.shots:
            raise ConfigError(
                "demonstrations show no reasoning, so they would teach the model not to reason",
                hint="answers: reasoned goes with shots: 0",
            )
        if self.calibrated and self.answers != "constrained":
            raise ConfigError(
                f"calibration is for scored labels, and answers are {self.answers}",
                hint="leave out one of calibrated and answers",
            )
        if self.most_tokens != "auto" and (self.answers == "constrained" or self.most_tokens < 1):
            raise ConfigError(
                f"most_tokens cannot be {self.most_tokens} for {self.answers} answers",
                hint="it is 1 or more, for answers: free and answers: reasoned",
            )

    def check(self, task: TaskSpec) -> None:
        """Calibration and reasoning need labels that are scored."""
        super().check(task)
        wanted = "calibrated" if self.calibrated else self.answers
        if task.kind.is_written and wanted in ("calibrated", "reasoned"):
            raise ImpossibleError(
                f"{wanted} answers are for labels that are scored, and tasks of kind "
                f"{task.kind.name} are answered in writing ({task.name})",
                hint=f"leave {wanted} out",
            )

    def warm_up(self, context: Context) -> None:
        """Have the model in memory."""
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
        """Nothing is trained; demonstrations are chosen from the training part."""
        embed, kept = self._embed(), []
        if self.shots:
            kept = self.choose.kept(train, task, self.shots, seed=seed, embed=embed)
        return self._predictor(task, kept, embed, context)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From ``demonstrations.json``."""
        rows = read_json(folder / "demonstrations.json")
        kept = [Example(r["id"], tuple(r["texts"]), r["answer"]) for r in rows]
        embed = self._embed() if self.choose.per_example else None
        return self._predictor(task, kept, embed, context)

    def resolved(self) -> Prompted:
        """With the number format of this machine and the limit of free text."""
        with_precision = replace(self, precision=precision_of(self.precision))
        most = self._free()
        return replace(with_precision, most_tokens=most) if most else with_precision

    def worded(self, wording: Wording) -> Prompted:
        """With another wording."""
        return replace(self, wording=wording)

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand:
        """From the lengths of all inputs; any demonstrations stand for those that are chosen."""
        from textune.engine.causal import CausalEngine
        from textune.engine.forecast import answering_demand

        draft = drafts.of(self.model)
        match = self.choose.like(parts.train, self.shots) if self.shots else None
        prompter = self._prompter(task, match, draft.tokenizer, draft.context)
        engine = CausalEngine(draft.weightless(precision_of(self.precision)))
        return answering_demand(self._readout(engine, prompter), parts.train, parts.test)

    def label(self) -> str:
        """``zero-shot`` or ``n-shot``, and whatever is not the default."""
        said = {"constrained": "", "free": "free answers", "reasoned": "chain of thought"}
        parts = [
            "zero-shot" if self.shots == 0 else f"{self.shots}-shot",
            self.choose.title,
            self.wording.label(),
            said[self.answers],
            "contextual calibration" if self.calibrated else "",
        ]
        return ", ".join(filter(None, parts))

    def min_train(self, task: TaskSpec) -> int:
        """As many as are shown."""
        return self.shots

    @property
    def is_deterministic(self) -> bool:
        """Unless demonstrations are drawn: the likeliest answer is taken."""
        return not (self.shots and self.choose.draws)

    @property
    def base(self) -> str:
        """The language model."""
        return self.model

    @property
    def models(self) -> tuple[str, ...]:
        """The language model, and the encoder that chooses demonstrations."""
        return (self.model,) if self.choose.encoder is None else (self.model, self.choose.encoder)

    @property
    def identity(self) -> str:
        """The model's weights, the wording of prompts, and the weights of an encoder."""
        parts = [find_model(self.model).identity, f"prompt {PROMPT_REVISION}"]
        if self.choose.encoder is not None:
            parts.append(find_model(self.choose.encoder, form="encoder").identity)
        return " ".join(parts)

    def _free(self) -> int:
        """Most tokens that are written freely."""
        if self.most_tokens == "auto":
            return MOST_TOKENS.get(self.answers, 0)
        return self.most_tokens

    def _embed(self) -> Embed | None:
        """The encoder that demonstrations are chosen with."""
        if self.choose.encoder is None:
            return None
        from textune.engine.embedding import embed
        from textune.models.load import load_encoder

        return partial(embed, load_encoder(find_model(self.choose.encoder, form="encoder")))

    def _prompter(
        self, task: TaskSpec, match: Matcher | None, tokenizer: Any, context: int
    ) -> Prompter:
        from textune.prompts.tokens import make_matched, make_prompter

        options: dict[str, Any] = {
            "context": context,
            "wording": self.wording,
            "free": self._free(),
        }
        if match is not None:
            return make_matched(task, match, tokenizer, **options)
        reasoned = self.answers == "reasoned"
        return make_prompter(task, [], tokenizer, reasoned=reasoned, **options)

    def _readout(self, engine: CausalEngine, prompter: Prompter) -> Readout:
        from textune.engine.readout import make_readout

        return make_readout(engine, prompter, free=self._free(), calibrated=self.calibrated)

    def _borrow(self, context: Context) -> Loaded:
        return context.pool.borrow(find_model(self.model), precision_of(self.precision), "none")

    def _predictor(
        self, task: TaskSpec, kept: list[Example], embed: Embed | None, context: Context
    ) -> Predictor:
        from textune.engine.causal import CausalEngine

        loaded = self._borrow(context)
        match = self.choose.matcher(kept, task, self.shots, embed=embed) if kept else None
        prompter = self._prompter(task, match, loaded.tokenizer, loaded.context)
        readout = self._readout(CausalEngine(loaded.model), prompter)
        notes: Notes = {"demonstrations": self.choose.note(kept, self.shots)} if kept else {}
        return PromptedPredictor(readout, kept, notes, loaded.num_params)


class PromptedPredictor(Predictor):
    """A readout and the examples that its prompts may show."""

    def __init__(
        self, readout: Readout, kept: list[Example], notes: Notes, total_params: int
    ) -> None:
        self.readout = readout
        self.kept = kept
        self.notes = notes
        self.total_params = total_params
        self.trainable_params = 0

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Answers by the model, with scores (N, C) where labels are scored."""
        said = self.readout.predict(examples)
        self.notes |= self.readout.notes()
        return said

    def num_cut(self, examples: Sequence[Example]) -> int:
        """Those whose prompt is longer than the context."""
        return self.readout.num_cut(examples)

    def save(self, folder: Path) -> None:
        """The examples that may be shown; the model is in the catalog."""
        rows = [{"id": e.id, "texts": list(e.texts), "answer": e.answer} for e in self.kept]
        write_json(folder / "demonstrations.json", rows)
