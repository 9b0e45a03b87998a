"""Texts longer than a model can read, divided into windows that overlap.

For entities: what is found in the windows is put together again. Of two windows that overlap each
speaks for its half of the overlap, so that what lies at a border is read with its surroundings.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from textune.core.errors import DataError
from textune.data.entities import entity, read_entities, write_entities
from textune.data.examples import Answer, Example

OVERLAP = 0.25
"""Share of a window that the next one has too."""

Fits = Callable[[Example], bool]
"""Whether a model can read an example whole."""


@dataclass(frozen=True)
class Window:
    """A stretch of an example's text."""

    example: Example
    """The example with this stretch as its text, and the entities in it as its answer."""
    source: int
    """Place of the whole example."""
    start: int
    """First character of the stretch."""
    speaks_for: tuple[int, int]
    """Characters of the whole text: entities that begin there are this window's."""


def divide(examples: Sequence[Example], fits: Fits) -> list[Window]:
    """Windows of every example in order, one where it fits whole.

    Raises:
        DataError: not even one word of a text fits.
    """
    return [
        window
        for source, example in enumerate(examples)
        for window in _windows(example, source, fits)
    ]


def undivided(examples: Sequence[Example]) -> list[Window]:
    """Every example as one window, whether it fits or not."""
    return [
        Window(example, source, 0, (0, len(example.texts[0])))
        for source, example in enumerate(examples)
    ]


def join(
    windows: Sequence[Window], answers: Sequence[Answer | None], examples: Sequence[Example]
) -> list[Answer | None]:
    """An answer for each example from those of its windows; None where no window has one."""
    found: list[list[Answer]] = [[] for _ in examples]
    for window, answer in zip(windows, answers, strict=True):
        if answer is not None:
            found[window.source].append(_moved(window, answer, examples[window.source].texts[0]))
    return [
        write_entities(e for answer in each for e in read_entities(answer)) if each else None
        for each in found
    ]


def num_divided(windows: Sequence[Window]) -> int:
    """How many examples did not fit whole."""
    return len({window.source for window in windows if window.start > 0})


def _windows(example: Example, source: int, fits: Fits) -> Iterator[Window]:
    text = example.texts[0]
    if fits(example):
        yield Window(example, source, 0, (0, len(text)))
        return
    begins = [match.start() for match in re.finditer(r"\S+", text)]
    spans = list(_spans(example, begins, fits))
    middles = [(a[1] + b[0]) // 2 for a, b in itertools.pairwise(spans)]
    bounds = [0, *middles, len(text)]
    for place, (start, end) in enumerate(spans):
        part = _part(example, start, end)
        yield Window(part, source, start, (bounds[place], bounds[place + 1]))


def _spans(example: Example, begins: Sequence[int], fits: Fits) -> Iterator[tuple[int, int]]:
    """First character and the one after the last of each window; windows begin at words."""
    ends = [*begins[1:], len(example.texts[0])]
    first = 0
    while True:
        last = _farthest(example, begins, ends, first, fits)
        yield begins[first], ends[last]
        if last == len(begins) - 1:
            return
        first = max(first + 1, last + 1 - round(OVERLAP * (last + 1 - first)))


def _farthest(
    example: Example, begins: Sequence[int], ends: Sequence[int], first: int, fits: Fits
) -> int:
    """The last word that fits into a window which begins at a word, by bisection."""
    low, high = first, len(begins) - 1
    if not fits(_part(example, begins[first], ends[first])):
        raise DataError(
            f"example {example.id}: not even one word of its text fits what the model can read",
            hint="fewer demonstrations, shorter definitions, or another model",
        )
    while low < high:
        middle = (low + high + 1) // 2
        if fits(_part(example, begins[first], ends[middle])):
            low = middle
        else:
            high = middle - 1
    return low


def _part(example: Example, start: int, end: int) -> Example:
    """A stretch of an example with the entities that lie in it whole."""
    text = example.texts[0][start:end]
    answer = example.answer
    if answer is not None:
        inside = [e for e in read_entities(answer) if start <= e.start and e.end <= end]
        answer = write_entities(
            entity(text, e.start - start, e.end - start, e.type) for e in inside
        )
    return replace(example, texts=(text,), answer=answer)


def _moved(window: Window, answer: Answer, text: str) -> Answer:
    """What a window speaks for, with offsets of the whole text."""
    low, high = window.speaks_for
    found = read_entities(answer)
    moved = [entity(text, e.start + window.start, e.end + window.start, e.type) for e in found]
    return write_entities(e for e in moved if low <= e.start < high)
