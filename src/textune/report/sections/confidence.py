"""Whether scores can be believed, and whether they know the errors."""

from collections.abc import Sequence
from typing import ClassVar

from textune.evaluation.intervals import Interval
from textune.evaluation.probabilities import NUM_BINS, calibration_error
from textune.report import digits
from textune.report.blocks import (
    Block,
    Column,
    Details,
    Figure,
    Range,
    Row,
    Scored,
    Table,
    Text,
)
from textune.report.confidence import ASKED_FOR, STEPS, Judged, judge
from textune.report.confidence_charts import Panel, abstention_chart, reliability_chart
from textune.report.look import Mark
from textune.report.sections.base import Context, Section

MAX_DRAWN = 9
"""Approaches in the charts."""
READING = (
    "The confidence of an answer is the score that its approach gives it: dots below the dashed "
    "diagonal are answers that are right less often than the approach is confident, dots above it "
    "more often. In the second chart the least confident answers are left out from "
    "right to left: a line that rises to the left belongs to an approach that knows where it errs."
)
CAPTION = (
    "How far confidence is from the share of right answers (ECE), and what leaving out the least "
    "confident answers brings; with 95 % bootstrap intervals over tested examples."
)
NOTE = (
    "AURC is the mean share of errors over all coverages. Coverages are found on the tested "
    "examples themselves, so expect a little less on new texts."
)


class Confidence(Section):
    """Calibration and abstention of every approach with scores; nothing when none has any."""

    title: ClassVar[str] = "Confidence"
    order: ClassVar[int] = 75

    def blocks(self, context: Context) -> list[Block]:
        """How to read it, table, two charts, their numbers."""
        judged = [judge(context.comparison, entry) for entry in context.comparison.entries]
        known = [each for each in judged if each.is_known]
        if not known:
            return []
        silent = [each.entry.label for each in judged if not each.is_known]
        share_right = context.comparison.loaded.run.task.kind.share_right
        return [
            Text(READING),
            _table(context, known, share_right),
            Text(NOTE + f" Without scores: {', '.join(silent)}." * bool(silent), "note"),
            *_figures(context, known, share_right),
            Details("Bins and curves as numbers", (_bins(known, share_right), _curves(known))),
        ]


def _table(context: Context, known: Sequence[Judged], share_right: str) -> Table:
    brier = "brier" if "brier" in known[0].entry.metrics else "label_brier"
    columns = (
        Column("Approach"),
        Column("Confidence", "score", help="Mean over answers"),
        Column(_capital(share_right), "score", help="Of answers with a confidence"),
        Column(
            "ECE", "score", help=f"Expected calibration error, {NUM_BINS} bins; less is better"
        ),
        Column(_capital(digits.metric_title(brier)), "number", help="Less is better"),
        Column("AURC", "score", help="Area under the risk-coverage curve; less is better"),
        *(
            Column(
                f"Coverage at {share:.0%}".replace("%", " %"),
                "score",
                help=f"The most answers that can be kept with {share_right} of {share:.0%}",
            )
            for share in ASKED_FOR
        ),
    )
    rows = tuple(
        context.row(
            each.entry,
            each.entry.label,
            each.mean_confidence,
            each.share_right,
            calibration_error(each.bins),
            each.entry.metrics.get(brier),
            _scored(each.abstention.area),
            *map(_scored, each.abstention.coverage),
        )
        for each in known
    )
    return Table("confidence", CAPTION, columns, rows).without_empty_columns()


def _figures(context: Context, known: Sequence[Judged], share_right: str) -> list[Block]:
    """Both charts, of the best contender of each approach."""
    best: dict[str, Judged] = {}
    for each in known:
        best.setdefault(each.entry.contender.approach, each)
    drawn = list(best.values())[:MAX_DRAWN]
    cut = f" {len(drawn)} of {len(known)} are shown." * (len(drawn) < len(known))
    panels = [
        Panel(each.entry.label, context.palette.colour(approach), each.bins)
        for approach, each in zip(best, drawn, strict=False)
    ]
    marks = [
        Mark(each.entry.label, approach, y * 100, y * 100, y * 100, filled=True, x=x)
        for approach, each in zip(best, drawn, strict=False)
        for x, y in zip(STEPS, each.curve, strict=True)
    ]
    return [
        Figure(
            "reliability",
            "Reliability diagrams: a dot for each bin of answers, larger for more of them; on the "
            f"dashed line confidence is what it says.{cut}",
            reliability_chart(panels, share_right),
        ),
        Figure(
            "abstention",
            f"{_capital(share_right)} of the answers that are kept when the least confident ones "
            f"are left out.{cut}",
            abstention_chart(marks, share_right, context.palette),
        ),
    ]


def _bins(known: Sequence[Judged], share_right: str) -> Table:
    columns = (
        Column("Approach"),
        Column("Bin", "score", 0),
        Column("Answers", "count"),
        Column("Confidence", "score", help="Mean"),
        Column(_capital(share_right), "score"),
    )
    rows = tuple(
        Row((e.entry.label, Range(b.low, b.high), b.num_examples, b.confidence, b.share_right))
        for e in known
        for b in e.bins
    )
    return Table("reliability", "Answers by confidence, all seeds together.", columns, rows)


def _curves(known: Sequence[Judged]) -> Table:
    shown = range(1, len(STEPS), 2)
    columns = (Column("Approach"), *(Column(f"{STEPS[at]} %", "score") for at in shown))
    rows = tuple(Row((e.entry.label, *(e.curve[at] for at in shown))) for e in known)
    caption = "Share of right answers when so much is kept, the most confident first."
    return Table("abstention", caption, columns, rows)


def _scored(interval: Interval) -> Scored | None:
    if interval.mean is None:
        return None
    return Scored(interval.mean, interval.low, interval.high, stands_out=False)


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]
