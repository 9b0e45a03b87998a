"""The best tuned approach against the best of every other family, part by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.evaluation.significance import holm
from textune.report import digits
from textune.report.blocks import Block, Column, Figure, Points, Row, Table, Text
from textune.report.compare import ALPHA, Entry
from textune.report.look import Mark, Palette
from textune.report.overview.base import Overview, OverviewSection, Part
from textune.report.part_charts import families_chart
from textune.report.sections.base import Context

FAMILIES = ("tuned", "prompted", "small model")
"""Each in its colour, in this order from above."""
COLUMNS = (
    Column("Part"),
    Column("Best tuned"),
    Column("Against"),
    Column("Its best"),
    Column("Difference", "points", 1, "Tuned minus other, main score in points"),
    Column("P bootstrap", "probability", help="Paired bootstrap, unadjusted"),
    Column("P adjusted", "probability", help="After Holm's correction over all rows"),
)
NOTE = (
    "The best of a family is chosen by the scores that are compared here, so differences are a "
    f"little too large; a P below {ALPHA:g} after correction is the least to ask."
)


@dataclass(frozen=True)
class _Duel:
    """The best tuned approach of a part against the best of another family."""

    part: Part
    family: str
    tuned: Entry
    rival: Entry
    difference: float | None
    p_value: float | None
    p_adjusted: float | None

    def row(self) -> Row:
        """For the table."""
        names = (self.part.name, self.tuned.label, self.family, self.rival.label)
        return Row((*names, self.difference, self.p_value, self.p_adjusted))

    def words(self) -> str:
        """How the tuned one stands to its rival."""
        rival = f"the best {self.family} ({_with_score(self.part, self.rival)})"
        if self.difference is None or self.p_adjusted is None or self.p_adjusted >= ALPHA:
            return f"not told apart from {rival}"
        return f"{'above' if self.difference > 0 else 'below'} {rival}"


class Families(OverviewSection):
    """Does tuning a language model pay, and where?"""

    title: ClassVar[str] = "Tuned against prompted and small"
    order: ClassVar[int] = 30

    def blocks(self, overview: Overview) -> list[Block]:
        """A picture, a sentence for each part, and the tests."""
        duels = _duels(overview.parts)
        if not duels:
            return []
        caption = "The best tuned approach against the best prompted one and the best small model."
        return [
            _figure(overview.parts),
            Points(tuple(_sentences(duels))),
            Table("families", caption, COLUMNS, tuple(duel.row() for duel in duels)),
            Text(NOTE, "note"),
        ]


def _duels(parts: Sequence[Part]) -> list[_Duel]:
    pairs = [
        (part, family, tuned, rival)
        for part in parts
        for family in FAMILIES[1:]
        if (tuned := _best(part, "tuned")) and (rival := _best(part, family))
    ]
    tests = [ours.resampled.test_against(other.resampled) for _, _, ours, other in pairs]
    adjusted = holm([test.p_value for test in tests])
    return [
        _Duel(*pair, test.statistic, test.p_value, p)
        for pair, test, p in zip(pairs, tests, adjusted, strict=True)
    ]


def _sentences(duels: Sequence[_Duel]) -> list[str]:
    """One for each part."""
    by_part: dict[str, list[_Duel]] = {}
    for duel in duels:
        by_part.setdefault(duel.part.name, []).append(duel)
    return [
        f"{name}: the best tuned approach ({_with_score(each[0].part, each[0].tuned)}) is "
        f"{' and '.join(duel.words() for duel in each)}."
        for name, each in by_part.items()
    ]


def _figure(parts: Sequence[Part]) -> Figure:
    marks = [
        _mark(part, family, entry)
        for part in parts
        for family in FAMILIES
        if (entry := _best(part, family)) is not None
    ]
    caption = (
        "The best approach of each family: its main score with the 95 % bootstrap interval over "
        "tested examples; filled where tied with the best of the part."
    )
    return Figure("families", caption, families_chart(marks, Palette(FAMILIES)))


def _mark(part: Part, family: str, entry: Entry) -> Mark:
    palette = Palette((entry.contender.approach,))
    context = Context(part.comparison, part.recommendation, palette)
    mark = context.mark(entry, filled=entry.label in part.comparison.tied)
    return Mark(
        label=f"{part.name}, {part.metric}",
        approach=family,
        score=mark.score,
        low=mark.low,
        high=mark.high,
        filled=mark.filled,
    )


def _with_score(part: Part, entry: Entry) -> str:
    return f"{entry.label}, {digits.shown(entry.score, Column('', 'score', part.decimals))}"


def _best(part: Part, family: str) -> Entry | None:
    entries = part.comparison.entries  # best first
    return next((e for e in entries if e.contender.info.family == family), None)
