"""After how many documents tuning has paid for itself."""

import math
from typing import ClassVar

from textune.report.axes import currency_of
from textune.report.blocks import Block, Column, Table, Text
from textune.report.compare import Entry
from textune.report.contenders import Contender
from textune.report.sections.base import Context, Section

CAPTION = (
    "Every tuned approach against every prompted one: what fitting and a thousand documents cost, "
    "and the number of documents from which the tuned one is cheaper in all."
)
NEVER = "never"


class BreakEven(Section):
    """What tuning costs once and saves with every document."""

    title: ClassVar[str] = "Break-even"
    order: ClassVar[int] = 91

    def blocks(self, context: Context) -> list[Block]:
        """One row for each pair whose prices are known."""
        entries = context.comparison.entries
        tuned = [e for e in entries if e.contender.info.family == "tuned"]
        prompted = [e for e in entries if e.contender.info.family == "prompted"]
        pairs = [(one, other) for one in tuned for other in prompted]
        rows = tuple(
            context.row(one, *cells)
            for one, other in pairs
            if (cells := _cells(one, other)) is not None
        )
        if not rows:
            return []
        currency = currency_of(context.comparison.loaded.contenders)
        columns = (
            Column("Tuned"),
            Column("Prompted"),
            Column("Difference", "points", context.decimals, "Tuned minus prompted, in points"),
            Column(f"Fit, tuned ({currency})", "price"),
            Column(f"Fit, prompted ({currency})", "price"),
            Column(f"1,000, tuned ({currency})", "price", help="Predictions"),
            Column(f"1,000, prompted ({currency})", "price", help="Predictions"),
            Column("Cheaper from", "count", help="Documents"),
        )
        note = (
            "Fitting and predicting alone, at the prices of the cost table; labelling the "
            f"training examples is not counted. {NEVER.capitalize()}: a document costs no less "
            "with the tuned approach."
        )
        return [Table("break_even", CAPTION, columns, rows), Text(note, "note")]


def break_even(
    fit: float, per_thousand: float, other_fit: float, other_per_thousand: float
) -> int | None:
    """Fewest documents for which the first of two is cheaper in all; None: it never is.

    The smallest whole n with fit + n p < other_fit + n q, prices of a document p and q.
    """
    saved = (other_per_thousand - per_thousand) / 1000
    more = fit - other_fit
    if more < 0 <= saved:
        return 0
    return math.floor(more / saved) + 1 if saved > 0 else None


def _cells(tuned: Entry, prompted: Entry) -> tuple[str | float, ...] | None:
    """A row; None where a price is not known."""
    ours, theirs = _prices(tuned.contender), _prices(prompted.contender)
    if ours is None or theirs is None:
        return None
    from_on = break_even(*ours, *theirs)
    difference = tuned.score - prompted.score
    fits, thousands = (ours[0], theirs[0]), (ours[1], theirs[1])
    cheaper = NEVER if from_on is None else from_on
    return (tuned.label, prompted.label, difference, *fits, *thousands, cheaper)


def _prices(contender: Contender) -> tuple[float, float] | None:
    """Of a fit, and of 1,000 predictions."""
    fit, thousand = contender.fit_price, contender.price_per_thousand
    return None if fit is None or thousand is None else (fit, thousand)
