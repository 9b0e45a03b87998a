"""Chooser: which training examples a prompt shows.

A demonstration comes from the training part, and no example is its own: a training example with
the same texts is never shown to it. Case, punctuation and spaces do not tell texts apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from textune.core.errors import DataError
from textune.core.registry import Plugin, Registry
from textune.core.seeds import generator
from textune.data.duplicates import key_of
from textune.data.examples import Example
from textune.tasks.base import TaskSpec

Matcher = Callable[[Sequence[Example]], list[tuple[Example, ...]]]
"""Gives the demonstrations of each example, in the order in which a prompt shows them."""

Embed = Callable[[Sequence[str]], np.ndarray]
"""Gives unit vectors (N, D) of N texts."""


@dataclass(frozen=True, kw_only=True)
class Chooser(Plugin):
    """A way to choose demonstrations."""

    title: ClassVar[str]
    """Its name in tables; empty where ``n-shot`` says enough."""
    draws: ClassVar[bool] = True
    """Whether the seed can change which are chosen."""
    per_example: ClassVar[bool] = False
    """Whether each example has demonstrations of its own."""

    @property
    def encoder(self) -> str | None:
        """The sentence encoder that it needs, where it needs one."""
        return None

    def kept(
        self,
        train: Sequence[Example],
        task: TaskSpec,
        shots: int,
        *,
        seed: int,
        embed: Embed | None = None,
    ) -> list[Example]:
        """The part of the training part that prompts may show, which a bundle keeps: here all.

        Raises:
            DataError: the training part has too few examples.
        """
        return list(train)

    def matcher(
        self,
        kept: Sequence[Example],
        task: TaskSpec,
        shots: int,
        *,
        embed: Embed | None = None,
    ) -> Matcher:
        """Who sees what of the examples that were kept: here everybody all of them."""
        return everything(kept)

    def like(self, train: Sequence[Example], shots: int) -> Matcher:
        """Any demonstrations, shared as this way shares them: for what prompts will cost."""
        if not self.per_example:
            return everything(drawn(train, shots, 0))
        draw = generator(0, "demonstrations", "like")

        def match(examples: Sequence[Example]) -> list[tuple[Example, ...]]:
            return [
                tuple(train[i] for i in draw.choice(len(train), size=shots, replace=False))
                for _ in examples
            ]

        return match

    def note(self, kept: Sequence[Example], shots: int) -> str:
        """What a record says about the demonstrations: their ids, where all see the same."""
        if self.per_example:
            return f"for each example {shots} of {len(kept)}"
        return " ".join(example.id for example in kept)


def everything(kept: Sequence[Example]) -> Matcher:
    """Everybody sees the same demonstrations, except themselves."""
    keyed = [(example, sorted(key_of(example))) for example in kept]

    def match(examples: Sequence[Example]) -> list[tuple[Example, ...]]:
        own = [sorted(key_of(example)) for example in examples]
        return [tuple(e for e, shown in keyed if shown != key) for key in own]

    return match


def nearest(
    kept: Sequence[Example], shots: int, scores: Callable[[Sequence[Example]], np.ndarray]
) -> Matcher:
    """Everybody sees those with the highest scores (N, K), the highest last: next to the input.

    Of equal scores the first of the training part counts as higher. Where a training example has
    an example's texts in it, it is not shown either: a window of a long text is a part of it.
    """
    keys = [key_of(example) for example in kept]

    def match(examples: Sequence[Example]) -> list[tuple[Example, ...]]:
        found = []
        for start in range(0, len(examples), 256):  # bounds the memory of the scores
            part = examples[start : start + 256]
            for example, row in zip(part, np.asarray(scores(part)), strict=True):
                found.append(_best(kept, keys, row, key_of(example), shots))
        return found

    return match


def _best(
    kept: Sequence[Example],
    keys: Sequence[tuple[str, ...]],
    scores_K: np.ndarray,
    own: tuple[str, ...],
    shots: int,
) -> tuple[Example, ...]:
    chosen: list[Example] = []
    for place in np.argsort(-scores_K, kind="stable"):
        if len(chosen) == shots:
            break
        if not _holds(keys[place], own):
            chosen.append(kept[place])
    return tuple(reversed(chosen))


def _holds(shown: tuple[str, ...], own: tuple[str, ...]) -> bool:
    """Whether normalised texts have those of an example in them, in any order of a pair."""
    return any(
        all(f" {text} " in f" {whole} " for text, whole in zip(own, order, strict=True))
        for order in (shown, shown[::-1])
    )


def drawn(train: Sequence[Example], shots: int, seed: int) -> list[Example]:
    """Any examples, in random order.

    Raises:
        DataError: there are too few.
    """
    if len(train) < shots:
        raise DataError(
            f"{shots} demonstrations need as many training examples, there are {len(train)}",
            hint="ask for fewer shots, or give more training examples",
        )
    draw = generator(seed, "demonstrations")
    return [train[i] for i in draw.choice(len(train), size=shots, replace=False)]


REGISTRY = Registry("textune.prompts.choosers", Chooser, noun="way of choosing demonstrations")
