"""Prompts that share more than all of them do: which of them are worth a prefix of their own.

As when each example has demonstrations of its own, or one text is compared with many others.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

LEAST = 512
"""Fewest tokens that a branch must save: its prefix and its prompts are passes of their own."""


@dataclass(frozen=True)
class Branch:
    """Prompts with a common beginning."""

    places: tuple[int, ...]
    cut: int
    """Tokens that they all begin with; each goes on behind them."""


@dataclass
class _Open:
    """Prompts in sorted order, from ``start`` on, that begin with the same ``depth`` tokens."""

    depth: int
    start: int
    saved: int = 0
    """Tokens that the branches found in it save."""
    inside: list[tuple[int, int, int]] = field(default_factory=list)
    """Those branches: first, one behind the last, depth."""

    def closed(self, end: int, cut: int) -> "_Open":
        """With itself in the place of what is inside, where that saves more."""
        saved = (end - self.start - 1) * (self.depth - cut)
        if saved >= LEAST and saved >= self.saved:
            return _Open(self.depth, self.start, saved, [(self.start, end, self.depth)])
        return self

    def take(self, other: "_Open") -> None:
        """What was found in a part of it."""
        self.saved += other.saved
        self.inside += other.inside


def branches(prompts: Sequence[tuple[int, ...]], cut: int) -> list[Branch]:
    """Every prompt in exactly one branch, so that the most tokens are saved by one more prefix.

    ``cut`` is the number of tokens that all share; the prompts without a branch come last, with
    that cut. At least one token of each prompt stays behind its branch's beginning.
    """
    order = sorted(range(len(prompts)), key=lambda place: prompts[place])
    found, taken = [], set()
    for first, last, depth in _worthwhile([prompts[place] for place in order], cut):
        found.append(Branch(tuple(order[first:last]), depth))
        taken.update(order[first:last])
    rest = tuple(place for place in range(len(prompts)) if place not in taken)
    return [*found, Branch(rest, cut)] if rest else found


def _worthwhile(ordered: Sequence[tuple[int, ...]], cut: int) -> list[tuple[int, int, int]]:
    """The best branches of sorted prompts, from the tree of their common beginnings.

    Neighbours tell where a node of the tree begins and ends, so one way through them is enough.
    """
    stack = [_Open(cut, 0)]
    for place, depth in enumerate(_shared_with_next(ordered, cut)):
        start, last = place, None
        while stack[-1].depth > depth:
            last = stack.pop().closed(place + 1, cut)
            start = last.start
            if stack[-1].depth >= depth:
                stack[-1].take(last)
                last = None
        if stack[-1].depth < depth:
            stack.append(_Open(depth, start))
            if last is not None:
                stack[-1].take(last)
    return stack[0].inside


def _shared_with_next(ordered: Sequence[tuple[int, ...]], cut: int) -> Iterator[int]:
    """Tokens that each prompt begins with as the next one does; the last has no next."""
    for one, other in itertools.pairwise(ordered):
        same, limit = cut, min(len(one), len(other)) - 1
        while same < limit and one[same] == other[same]:
            same += 1
        yield same
    if ordered:
        yield cut
