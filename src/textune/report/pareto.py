"""The cost-quality front: what is not clearly beaten at its cost or below."""

from collections.abc import Sequence

from textune.report.axes import Axis
from textune.report.compare import ALPHA, Entry


def front(entries: Sequence[Entry], axis: Axis) -> list[Entry]:
    """Entries that no other one dominates, cheapest first; those without the cost are left out.

    One dominates another if it is cheaper and its score is not lower, or if it is no dearer and
    significantly better: at equal cost, a difference that chance explains excludes nobody.
    """
    priced = [(cost, e) for e in entries if (cost := axis.value(e.contender)) is not None]
    kept = [
        (cost, entry)
        for cost, entry in priced
        if not any(_dominates(*rival, cost, entry) for rival in priced)
    ]
    return [entry for _, entry in sorted(kept, key=lambda pair: pair[0])]


def _dominates(rival_cost: float, rival: Entry, cost: float, entry: Entry) -> bool:
    if rival_cost > cost or rival.score < entry.score:
        return False
    if rival_cost < cost:
        return True
    p_value = rival.resampled.test_against(entry.resampled).p_value
    return rival.score > entry.score and p_value is not None and p_value < ALPHA
