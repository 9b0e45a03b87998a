"""From how many training examples on a tuned model is better than what is not tuned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.evaluation.significance import holm
from textune.report.blocks import Block, Column, Details, Points, Table
from textune.report.compare import ALPHA, Entry
from textune.report.sections.base import Context, Section

CAPTION = (
    "Tuned approaches against all others, trained on the same number of examples. P is of the "
    "paired bootstrap, adjusted after Holm over all rows."
)


@dataclass(frozen=True)
class _Step:
    """A tuned approach and a rival, trained on the same number of examples."""

    size: int
    tuned: Entry
    rival: Entry
    difference: float | None
    p_adjusted: float | None

    @property
    def sign(self) -> int:
        """1 or -1 where the tuned one is significantly better or worse, else 0."""
        if self.difference is None or self.p_adjusted is None or self.p_adjusted >= ALPHA:
            return 0
        return 1 if self.difference > 0 else -1


class Overtaking(Section):
    """Where on the learning curve tuning overtakes, if at all."""

    title: ClassVar[str] = "Where tuning overtakes"
    order: ClassVar[int] = 51

    def blocks(self, context: Context) -> list[Block]:
        """A sentence for each pair of approaches, all tests folded away."""
        curves = _curves(context.comparison.entries)
        if not curves:
            return []
        columns = (
            Column("Tuned"),
            Column("Against"),
            Column("Trained on", "count", help="Examples, for both"),
            Column("Difference", "points", context.decimals, "Tuned minus other, in points"),
            Column("P adjusted", "probability", help="After Holm's correction over all rows"),
        )
        rows = tuple(
            context.row(s.tuned, s.tuned.label, s.rival.label, s.size, s.difference, s.p_adjusted)
            for curve in curves
            for s in curve
        )
        table = Table("overtaking", CAPTION, columns, rows)
        return [
            Points(tuple(_sentence(curve) for curve in curves)),
            Details("The tests at every size", (table,)),
        ]


def _curves(entries: Sequence[Entry]) -> list[list[_Step]]:
    """For each tuned approach and each other one the steps at the sizes of both, if several."""
    pairs = list(_pairs(entries))
    tests = [tuned.resampled.test_against(rival.resampled) for _, tuned, rival in pairs]
    adjusted = holm([test.p_value for test in tests])
    curves: dict[tuple[str, str], list[_Step]] = {}
    for (size, tuned, rival), test, p in zip(pairs, tests, adjusted, strict=True):
        names = (tuned.contender.approach, rival.contender.approach)
        curves.setdefault(names, []).append(_Step(size, tuned, rival, test.statistic, p))
    return list(curves.values())


def _pairs(entries: Sequence[Entry]) -> Iterator[tuple[int, Entry, Entry]]:
    """(size, tuned, other), sizes rising, where an approach was trained on several sizes."""
    by_approach: dict[str, dict[int, Entry]] = {}
    for entry in entries:
        by_approach.setdefault(entry.contender.approach, {})[entry.contender.size] = entry
    for tuned in by_approach.values():
        if len(tuned) < 2 or _family(tuned) != "tuned":
            continue
        for rival in by_approach.values():
            if _family(rival) == "tuned":
                continue
            for size in sorted(tuned.keys() & rival.keys()):
                yield size, tuned[size], rival[size]


def _family(sizes: dict[int, Entry]) -> str:
    return next(iter(sizes.values())).contender.info.family


def _sentence(curve: Sequence[_Step]) -> str:
    """From which size on the tuned approach is better, or worse, or neither."""
    names = f"{curve[0].tuned.contender.approach} is"
    rival = curve[0].rival.contender.approach
    above = _least_above(curve)
    below = [step.size for step in curve if step.sign < 0]
    last = curve[-1].size
    if above is not None:
        text = f"{names} significantly above {rival} from {above:,} training examples on"
    else:
        text = f"{names} not significantly above {rival} with {last:,} training examples"
    return f"{text}, and significantly below it with {below[-1]:,}." if below else f"{text}."


def _least_above(curve: Sequence[_Step]) -> int | None:
    """The size from which on the tuned one is better at every step."""
    found = None
    for step in reversed(curve):
        if step.sign < 1:
            break
        found = step.size
    return found
