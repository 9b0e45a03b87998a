"""Prompter: examples of a task as token lists for one model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from textune.core.errors import ConfigError
from textune.data.cutting import cut_to
from textune.data.examples import Answer, Example
from textune.prompts.choosers.base import Matcher
from textune.prompts.template import CUE, Prompt, answer_text, build_prompt
from textune.prompts.wording import DEFAULT, Wording
from textune.tasks.base import TaskSpec

WRITTEN = 0.25
"""Share of the context that is kept for an answer which the model writes."""


@dataclass(frozen=True)
class Prompter:
    """Turns examples into prompts of one task, with these demonstrations, for one tokenizer.

    A prompt is tokenised whole, as any other program would, so what training sees is what serving
    sends. Inputs that do not fit the context are cut around the task's marks, else at their end.
    """

    task: TaskSpec
    tokenizer: Any
    prompt: Prompt
    room: int
    """Most tokens of a prompt: the model's context less what answers may take."""
    left: int
    """Most tokens of an answer, with its end."""
    reasoned: bool = False
    """Whether the model reasons before its answer, which then follows a cue."""

    def each(self, examples: Sequence[Example]) -> list["Prompter"]:
        """The prompter with the demonstrations that each example is shown."""
        return [self] * len(examples)

    def prompts(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Token lists in the order of the examples.

        Raises:
            DataError: the instruction alone does not fit the context.
        """
        marks = self.task.data.marks
        return [
            ids
            if len(ids) <= self.room
            else self._whole([cut_to(e, self.room, self.length, marks)])[0]
            for e, ids in zip(examples, self._whole(examples), strict=True)
        ]

    def answer(self, answer: Answer) -> tuple[int, ...]:
        """Tokens that the model writes for an answer, without the end token."""
        written = answer_text(self.task, answer, self.tokenizer, after_cue=self.reasoned)
        return self._ids([written])[0]

    @property
    def cue(self) -> tuple[int, ...]:
        """Tokens between a reasoning and the answer."""
        return self._ids([CUE])[0]

    def reasoning(self, text: str, most: int) -> tuple[int, ...]:
        """Tokens of a reasoning, at most so many, and of the cue behind it."""
        written = text if self.tokenizer.chat_template else f" {text}"
        return (*self._ids([written])[0][:most], *self.cue)

    def text(self, tokens: Sequence[int]) -> str:
        """What the model has written."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def reply(self, tokens: Sequence[int]) -> str:
        """What the model has written freely, for this example.

        A base model goes on with a next one, behind an empty line.
        """
        text = self.text(tokens)
        return text if self.tokenizer.chat_template else text.split("\n\n")[0].strip()

    def length(self, example: Example) -> int:
        """Tokens of the whole prompt, cut or not."""
        return len(self._whole([example])[0])

    def fits(self, example: Example) -> bool:
        """Whether the prompt needs no cut."""
        return self.length(example) <= self.room

    def own_length(self, example: Example) -> int:
        """Tokens of the texts alone."""
        return sum(map(len, self._ids(list(example.texts))))

    @property
    def end(self) -> int:
        """The token that ends an answer."""
        return int(self.tokenizer.eos_token_id)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many inputs do not fit the context."""
        return sum(len(ids) > self.room for ids in self._whole(examples))

    def _whole(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        return self._ids([self.prompt.text(self.task.kind.input_text(e)) for e in examples])

    def _ids(self, texts: list[str]) -> list[tuple[int, ...]]:
        if not texts:
            return []
        return [tuple(ids) for ids in self.tokenizer(texts, add_special_tokens=False)["input_ids"]]


@dataclass(frozen=True)
class MatchedPrompter(Prompter):
    """A prompter that shows each example its own demonstrations; ``prompt`` itself has none."""

    match: Matcher = field(kw_only=True)
    build: Callable[[Sequence[Example]], Prompt] = field(kw_only=True)
    """Gives the prompt with some demonstrations."""
    _last: dict[tuple[Example, ...], list[Prompter]] = field(default_factory=dict, kw_only=True)
    """What the last call gave: the same examples are asked for several times in a row."""

    def each(self, examples: Sequence[Example]) -> list[Prompter]:
        """Those who are shown the same share one."""
        asked = tuple(examples)
        if asked not in self._last:
            found = self._each(asked)
            self._last.clear()
            self._last[asked] = found
        return self._last[asked]

    def _each(self, examples: Sequence[Example]) -> list[Prompter]:
        known: dict[tuple[str, ...], Prompter] = {}
        found = []
        for shown in self.match(examples):
            key = tuple(example.id for example in shown)
            if key not in known:
                prompt = self.build(shown)
                known[key] = Prompter(
                    self.task, self.tokenizer, prompt, self.room, self.left, self.reasoned
                )
            found.append(known[key])
        return found

    def prompts(self, examples: Sequence[Example]) -> list[tuple[int, ...]]:
        """Each with its demonstrations; who is cut keeps those that its whole text has."""
        each = self.each(examples)
        sharing: dict[int, list[int]] = {}
        for place, prompter in enumerate(each):
            sharing.setdefault(id(prompter), []).append(place)
        found: dict[int, tuple[int, ...]] = {}
        for places in sharing.values():
            prompts = each[places[0]].prompts([examples[place] for place in places])
            found.update(zip(places, prompts, strict=True))
        return [found[place] for place in range(len(examples))]

    def fits(self, example: Example) -> bool:
        """Whether the prompt with its demonstrations needs no cut."""
        return self.each([example])[0].fits(example)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """How many inputs do not fit beside their demonstrations."""
        each = zip(self.each(examples), examples, strict=True)
        return sum(not prompter.fits(example) for prompter, example in each)


def make_prompter(
    task: TaskSpec,
    demonstrations: Sequence[Example],
    tokenizer: Any,
    *,
    context: int,
    wording: Wording = DEFAULT,
    free: int = 0,
    reasoned: bool = False,
) -> Prompter:
    """The prompter of a task for a model with that context length (tokens).

    Args:
        task: The task.
        demonstrations: What every prompt shows.
        tokenizer: The model's.
        context: Tokens that the model can read and write.
        wording: How the prompt says what is asked.
        free: Most tokens that the model writes freely; 0 where it does not.
        reasoned: Whether these are a reasoning, which the answer follows.

    Raises:
        ConfigError: what is written freely fills the context.
    """
    prompt = build_prompt(task, demonstrations, tokenizer, wording, reasoned=reasoned)
    draft = Prompter(task, tokenizer, prompt, room=context, left=0, reasoned=reasoned)
    if task.kind.is_written:
        left = int(context * WRITTEN)
    else:
        left = max(len(draft.answer(label)) for label in task.labels) + 1
    if reasoned:
        left += free + len(draft.cue)
    elif free:
        left = max(left, free)
    if left >= context:
        raise ConfigError(
            f"{free} tokens of free text leave no room for a prompt: the model reads {context}",
            hint="fewer most_tokens, or a model with a longer context",
        )
    return replace(draft, room=context - left, left=left)


def make_matched(
    task: TaskSpec,
    match: Matcher,
    tokenizer: Any,
    *,
    context: int,
    wording: Wording = DEFAULT,
    free: int = 0,
) -> MatchedPrompter:
    """As ``make_prompter``, with the demonstrations that ``match`` gives each example."""
    plain = make_prompter(task, [], tokenizer, context=context, wording=wording, free=free)

    def build(shown: Sequence[Example]) -> Prompt:
        return build_prompt(task, shown, tokenizer, wording)

    return MatchedPrompter(
        task, tokenizer, plain.prompt, plain.room, plain.left, match=match, build=build
    )
