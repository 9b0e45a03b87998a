"""Tuned approaches against prompted ones: does changing the weights pay at all?"""

from typing import ClassVar

from textune.evaluation.significance import holm
from textune.report.blocks import Block, Column, Table, Text
from textune.report.compare import ALPHA
from textune.report.sections.base import Context, Section

CAPTION = "Every tuned approach against every prompted one."


class TuningPays(Section):
    """Every tuned approach against every prompted one, with tests."""

    title: ClassVar[str] = "Tuned against prompted"
    order: ClassVar[int] = 32

    def blocks(self, context: Context) -> list[Block]:
        """One row for each pair, and in words how many differences are real."""
        entries = context.comparison.entries
        tuned = [e for e in entries if e.contender.info.family == "tuned"]
        prompted = [e for e in entries if e.contender.info.family == "prompted"]
        pairs = [(one, other) for one in tuned for other in prompted]
        if not pairs:
            return []
        tests = [one.resampled.test_against(other.resampled) for one, other in pairs]
        adjusted = holm([test.p_value for test in tests])
        rows = [
            context.row(one, one.label, other.label, test.statistic, test.p_value, p)
            for (one, other), test, p in zip(pairs, tests, adjusted, strict=True)
        ]
        columns = (
            Column("Tuned"),
            Column("Prompted"),
            Column("Difference", "points", context.decimals, "Tuned minus prompted, in points"),
            Column("P bootstrap", "probability", help="Paired bootstrap, unadjusted"),
            Column("P adjusted", "probability", help="After Holm's correction over these pairs"),
        )
        better = sum(
            p is not None and p < ALPHA and test.statistic is not None and test.statistic > 0
            for test, p in zip(tests, adjusted, strict=True)
        )
        return [
            Text(
                f"In {better} of {len(pairs)} pairs the tuned approach is significantly better "
                f"than the prompted one (P below {ALPHA:g} after Holm's correction over these "
                "pairs)."
            ),
            Table("tuning_pays", CAPTION, columns, tuple(rows)),
        ]
