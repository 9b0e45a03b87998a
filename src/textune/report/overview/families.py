"""The best tuned approach against the best of every other family, part by part."""

from typing import ClassVar

from textune.evaluation.significance import holm
from textune.report.blocks import Block, Column, Row, Table, Text
from textune.report.compare import ALPHA, Entry
from textune.report.overview.base import Overview, OverviewSection, Part

RIVALS = ("prompted", "small model")


class Families(OverviewSection):
    """Does tuning a language model pay, and where?"""

    title: ClassVar[str] = "Tuned against prompted and small"
    order: ClassVar[int] = 30

    def blocks(self, overview: Overview) -> list[Block]:
        """A row for each part and family."""
        pairs = [
            (part, family, tuned, rival)
            for part in overview.parts
            for family in RIVALS
            if (tuned := _best(part, "tuned")) and (rival := _best(part, family))
        ]
        if not pairs:
            return []
        tests = [ours.resampled.test_against(other.resampled) for _, _, ours, other in pairs]
        adjusted = holm([test.p_value for test in tests])
        rows = tuple(
            Row((part.name, ours.label, family, other.label, test.statistic, test.p_value, p))
            for (part, family, ours, other), test, p in zip(pairs, tests, adjusted, strict=True)
        )
        columns = (
            Column("Part"),
            Column("Best tuned"),
            Column("Against"),
            Column("Its best"),
            Column("Difference", "points", 1, "Tuned minus other, main score in points"),
            Column("P bootstrap", "probability", help="Paired bootstrap, unadjusted"),
            Column("P adjusted", "probability", help="After Holm's correction over all rows"),
        )
        note = (
            "The best of a family is chosen by the scores that are compared here, so differences "
            f"are a little too large; a P below {ALPHA:g} after correction is the least to ask."
        )
        caption = "The best tuned approach against the best prompted one and the best small model."
        return [Table("families", caption, columns, rows), Text(note, "note")]


def _best(part: Part, family: str) -> Entry | None:
    entries = part.comparison.entries  # best first
    return next((e for e in entries if e.contender.info.family == family), None)
