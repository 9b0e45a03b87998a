"""A language model behind an OpenAI-compatible endpoint, asked with prompts as a local one is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from textune.approaches.base import LABEL_KINDS, Approach, Context, Family, Notes, Parts, Predictor
from textune.core.artifacts import read_json, write_json
from textune.core.config import PluginOf
from textune.core.errors import ConfigError, ImpossibleError
from textune.cost.served import ServedTokens
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.models.catalog import find_model
from textune.models.endpoint import Endpoint, Pace, check_url, usual_url
from textune.models.fetch import cache_folder
from textune.models.replies import ReplyCache, Request
from textune.prompts.choosers import base as choosers
from textune.prompts.choosers.balanced import Balanced
from textune.prompts.choosers.base import Chooser, Embed, Matcher
from textune.prompts.conversation import Conversations
from textune.prompts.template import REVISION as PROMPT_REVISION
from textune.prompts.wording import DEFAULT, Wording
from textune.tasks.base import TaskSpec

LETTERS_PER_TOKEN = 4
"""Of English with common tokenizers, about; for forecasts only."""
OWN_FIELDS = {"model", "messages", "stream", "n", "seed", "api_key"}
"""Fields of a request that ``extra`` cannot set."""
PREDICTOR = "served.json"


@dataclass(frozen=True, kw_only=True)
class Served(Approach):
    """A language model behind an OpenAI-compatible endpoint, as it is, with n demonstrations.

    vLLM, Ollama, ``transformers serve`` and commercial services have such endpoints. The texts are
    sent there. The model may change there without notice, so a result cannot surely be repeated:
    answers are kept on disk, and notes say what the endpoint called its model.
    """

    family: ClassVar[Family] = "prompted"
    kinds: ClassVar[frozenset[str]] = LABEL_KINDS | {"extract"}
    reads_prompt: ClassVar[bool] = True

    model: str
    """Name of the model at the endpoint."""
    url: str = "auto"
    """Address of the endpoint, without ``/chat/completions``; ``auto`` is ``$OPENAI_BASE_URL``, or
    the public one. Its key is in ``$OPENAI_API_KEY``; that of any other address in a variable
    named after its host, for ``api.example.org`` in ``$TEXTUNE_KEY_API_EXAMPLE_ORG``."""
    shots: int = 0
    """Demonstrations from the training part."""
    choose: Annotated[Chooser, PluginOf(choosers.REGISTRY)] = Balanced()  # noqa: RUF009 # frozen
    """How demonstrations are chosen."""
    wording: Wording = DEFAULT
    """How the prompt says what is asked."""
    reasoned: bool = False
    """Chain of thought: the model is told to reason first. Give it more ``max_tokens``."""
    max_tokens: int = 256
    """Most tokens of an answer."""
    temperature: float = 0.0
    """0 takes the likeliest token; above it answers are drawn, with the cell's seed."""
    extra: dict[str, Any] = field(default_factory=dict)
    """More fields of the request, as the endpoint defines them, for example ``{top_p: 0.9}``; null
    leaves a field out: ``{max_tokens: null, max_completion_tokens: 2000}``."""
    concurrency: int = field(default=8, compare=False)
    """Requests at the same time."""
    requests_per_minute: int | Literal["any"] = field(default="any", compare=False)
    """Most requests a minute, repeated ones included, of each worker process."""
    timeout: float = field(default=120.0, compare=False)
    """Seconds that one attempt may take."""
    retries: int = field(default=8, compare=False)
    """Attempts after the first one, where the endpoint is away, fails or wants fewer requests;
    with growing pauses, 8 bridge about half a minute."""

    def __post_init__(self) -> None:
        if self.url != "auto":
            check_url(self.url)
        for name, least in (("shots", 0), ("max_tokens", 1), ("concurrency", 1), ("retries", 0)):
            if getattr(self, name) < least:
                hint = f"it must be {least} or more"
                raise ConfigError(f"{name} cannot be {getattr(self, name)}", hint=hint)
        if self.requests_per_minute != "any" and self.requests_per_minute < 1:
            hint = "a number from 1, or any"
            raise ConfigError("requests_per_minute cannot be less than 1", hint=hint)
        if taken := sorted(OWN_FIELDS & set(self.extra)):
            hint = "these are set by textune; keys come from the environment"
            raise ConfigError(f"extra cannot set {', '.join(taken)}", hint=hint)
        if self.reasoned and self.shots:
            what = "demonstrations show no reasoning, so they would teach the model not to reason"
            raise ConfigError(what, hint="reasoned goes with shots: 0")

    def check(self, task: TaskSpec) -> None:
        """The kind of task, and that the client library is there."""
        super().check(task)
        if self.reasoned and task.kind.is_written:
            what = f"reasoned answers are for a choice of one label, {task.name} has lists"
            raise ImpossibleError(what, hint="leave reasoned out")
        if find_spec("openai") is None:
            hint = "pip install 'textune[served]'"
            raise ImpossibleError("a served model needs the package openai", hint=hint)

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
        return self._predictor(task, kept, embed, seed)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """From what may be shown, and the seed."""
        content = read_json(folder / PREDICTOR)
        kept = [Example(r["id"], tuple(r["texts"]), r["answer"]) for r in content["kept"]]
        embed = self._embed() if self.choose.per_example else None
        return self._predictor(task, kept, embed, int(content["seed"]))

    def resolved(self) -> Served:
        """With the endpoint that the environment names."""
        return replace(self, url=usual_url()) if self.url == "auto" else self

    def worded(self, wording: Wording) -> Served:
        """With another wording."""
        return replace(self, wording=wording)

    def served_tokens(self, task: TaskSpec, parts: Parts) -> dict[str, ServedTokens]:
        """From letters of everything that is sent, and of the mean answer.

        A reasoning counts with all the tokens that it may take.
        """
        asked = [*parts.test, *filter(None, map(task.kind.turned, parts.test))]
        match = self.choose.like(parts.train, self.shots) if self.shots else None
        turns = self._conversations(task, match).of(asked)
        read = sum(len(turn["content"]) for each in turns for turn in each)
        answers = [len(task.kind.written(str(e.answer), task.words)) for e in parts.train]
        mean = sum(answers) / max(1, len(answers)) / LETTERS_PER_TOKEN + 1  # with its end
        written = len(asked) * (self.max_tokens if self.reasoned else mean)
        return {
            self.model: ServedTokens(input=round(read / LETTERS_PER_TOKEN), output=round(written))
        }

    def label(self) -> str:
        """The model, ``zero-shot`` or ``n-shot``, and whatever is not the default."""
        parts = [
            self.model,
            "zero-shot" if self.shots == 0 else f"{self.shots}-shot",
            self.choose.title,
            self.wording.label(),
            "chain of thought" if self.reasoned else "",
        ]
        return ", ".join(filter(None, parts))

    def min_train(self, task: TaskSpec) -> int:
        """As many as are shown."""
        return self.shots

    @property
    def identity(self) -> str:
        """The wording of prompts and an encoder's weights; what is served nobody can say."""
        parts = [f"prompt {PROMPT_REVISION}"]
        if self.choose.encoder is not None:
            parts.append(find_model(self.choose.encoder, form="encoder").identity)
        return " ".join(parts)

    def _embed(self) -> Embed | None:
        """The encoder that demonstrations are chosen with."""
        if not self.shots or self.choose.encoder is None:
            return None
        from textune.engine.embedding import embed
        from textune.models.load import load_encoder

        return partial(embed, load_encoder(find_model(self.choose.encoder, form="encoder")))

    def _conversations(self, task: TaskSpec, match: Matcher | None) -> Conversations:
        return Conversations(task, match, self.wording, self.reasoned)

    def _predictor(
        self, task: TaskSpec, kept: list[Example], embed: Embed | None, seed: int
    ) -> Predictor:
        per_minute = None if self.requests_per_minute == "any" else self.requests_per_minute
        endpoint = Endpoint(
            url=self.resolved().url,
            cache=ReplyCache(cache_folder() / "served"),
            pace=Pace(per_minute),
            concurrency=self.concurrency,
            timeout=self.timeout,
            retries=self.retries,
        )
        match = self.choose.matcher(kept, task, self.shots, embed=embed) if kept else None
        notes: Notes = {"endpoint": endpoint.url, "asked_for": self.model}
        if kept:
            notes["demonstrations"] = self.choose.note(kept, self.shots)
        return ServedPredictor(self, endpoint, self._conversations(task, match), kept, notes, seed)


class ServedPredictor(Predictor):
    """A served model, what it is sent, and the examples that may be shown to it."""

    def __init__(
        self,
        approach: Served,
        endpoint: Endpoint,
        conversations: Conversations,
        kept: list[Example],
        notes: Notes,
        seed: int,
    ) -> None:
        self.approach = approach
        self.endpoint = endpoint
        self.conversations = conversations
        self.kept = kept
        self.notes = notes
        self.seed = seed
        self._answered_by: set[str] = set()
        self._cut: set[str] = set()

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """What the model wrote, and the answers that it means; there are no scores.

        Raises:
            ModelError: the endpoint cannot be reached or refuses; what was answered is kept.
            StoreError: the cache of answers cannot be written.
        """
        approach, settings = self.approach, self._settings()
        draw = self.seed if approach.temperature else 0
        replies = self.endpoint.ask(
            [
                Request(approach.model, tuple(turns), settings, draw)
                for turns in self.conversations.of(examples)
            ]
        )
        self._answered_by |= {reply.model or "unnamed" for reply in replies}
        self.notes["answered_by"] = ", ".join(sorted(self._answered_by))
        answered = zip(replies, examples, strict=True)
        self._cut |= {example.id for reply, example in answered if reply.ended == "length"}
        self.notes["answers_cut"] = len(self._cut)
        raw = [reply.text for reply in replies]
        read = self.conversations.read
        return Predictions([read(*each) for each in zip(raw, examples, strict=True)], raw=raw)

    def save(self, folder: Path) -> None:
        """The examples that may be shown and the seed; no key."""
        rows = [{"id": e.id, "texts": list(e.texts), "answer": e.answer} for e in self.kept]
        write_json(folder / PREDICTOR, {"seed": self.seed, "kept": rows})

    def _settings(self) -> dict[str, Any]:
        """What is sent beside model and messages."""
        approach = self.approach
        drawn = {"seed": self.seed} if approach.temperature else {}
        said = {"temperature": approach.temperature, "max_tokens": approach.max_tokens}
        return {k: v for k, v in (said | drawn | approach.extra).items() if v is not None}
