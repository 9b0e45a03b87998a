"""The recommendation: the cheapest of what is statistically tied with the best, within limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from textune.core.registry import Spec
from textune.report import digits
from textune.report.axes import Axis, axes, currency_of
from textune.report.compare import Comparison, Entry
from textune.report.contenders import Contender
from textune.results.run import MAY_HAVE_SEEN


@dataclass(frozen=True, kw_only=True)
class Limits(Spec):
    """What a user can afford; None is no limit."""

    max_memory_bytes: float | None = None
    """Peak memory of fitting and predicting."""
    max_price: float | None = None
    """Price of one fit with its test predictions, in the currency of the price table."""
    max_latency_seconds: float | None = None
    """Of a single prediction, 95th percentile."""


NO_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True)
class Recommendation(Spec):
    """What to take, and why."""

    choice: str | None
    """Label of the recommended contender; None when nothing fits."""
    headline: str
    """The answer in one sentence."""
    reasons: tuple[str, ...] = ()
    """Plain sentences, ending with what would change the answer."""
    rejected: dict[str, str] = field(default_factory=dict)
    """Label -> the limit it breaks, or what it lacks."""
    limits: Limits = NO_LIMITS


@dataclass(frozen=True)
class _Check:
    """One limit against one quantity of a contender."""

    noun: str
    limit: float
    value: float | None
    shown_limit: str
    shown_value: str


def recommend(comparison: Comparison, limits: Limits) -> Recommendation:
    """Filter by the limits, find the tied set among what remains, take its cheapest.

    Cheapest is by price, then prediction time, then memory; an unknown cost counts as dearest.
    """
    rejected = {i.label: f"not comparable: {i.reason}" for i in comparison.incomplete}
    if not comparison.entries:
        return Recommendation(
            choice=None,
            headline="Nothing can be recommended: no approach has completed all its cells.",
            reasons=("Run the study to its end; finished cells are kept.",),
            rejected=rejected,
            limits=limits,
        )
    broken = {
        entry.label: failed
        for entry in comparison.entries
        if (failed := _broken(entry.contender, limits))
    }
    rejected |= {label: "; ".join(map(_sentence, checks)) for label, checks in broken.items()}
    remaining = comparison.among([e.label for e in comparison.entries if e.label not in broken])
    if not remaining.entries:
        return Recommendation(
            choice=None,
            headline="Nothing fits the limits.",
            reasons=_relaxations(comparison, broken),
            rejected=rejected,
            limits=limits,
        )
    return _choose(comparison, remaining, rejected, limits)


def _choose(
    comparison: Comparison, remaining: Comparison, rejected: dict[str, str], limits: Limits
) -> Recommendation:
    costs = axes(currency_of(comparison.loaded.contenders))
    tied = [remaining.entry(label) for label in remaining.tied]
    choice = min(tied, key=lambda entry: _dearness(entry.contender, costs))
    best = tied[0]
    reasons = [
        _standing(choice, tied, len(remaining.entries)),
        f"{choice.label} costs {_costs(choice.contender, costs)}.",
    ]
    if len(tied) > 1:
        reasons.append(
            "Among tied approaches the cheapest is taken: by price, then prediction time, then "
            "memory."
        )
    if choice is not best:
        reasons.append(
            f"If the highest score matters more than cost, take {best.label}: "
            f"{_percent(best.score)} against {_percent(choice.score)}, for "
            f"{_costs(best.contender, costs)}."
        )
    reasons += _cheaper(choice, remaining, costs) + _without_limits(comparison, remaining)
    reasons += _doubts((choice, best), remaining)
    fitting = " within the limits" if limits != NO_LIMITS else ""
    doubt = f", but {MAY_HAVE_SEEN}" if choice.contender.info.doubt else ""
    return Recommendation(
        choice=choice.label,
        headline=f"Take {choice.label}: {_title(comparison)} of {_percent(choice.score)}, "
        f"{_position(choice, tied, len(remaining.entries))}{fitting}{doubt}.",
        reasons=tuple(reasons),
        rejected=rejected,
        limits=limits,
    )


def _position(choice: Entry, tied: list[Entry], num_entries: int) -> str:
    if num_entries == 1:
        return "the only one to choose from"
    if len(tied) == 1:
        return "significantly better than everything else"
    return "the best score" if choice is tied[0] else "not distinguishable from the best"


def _standing(choice: Entry, tied: list[Entry], num_entries: int) -> str:
    if num_entries == 1:
        return f"{choice.label} is the only one to choose from."
    if len(tied) == 1:
        others = "the other one" if num_entries == 2 else f"all {num_entries - 1} others"
        return f"{choice.label} is significantly better than {others}."
    names = ", ".join(entry.label for entry in tied)
    return f"{len(tied)} of {num_entries} are statistically tied with the best: {names}."


def _cheaper(choice: Entry, remaining: Comparison, costs: tuple[Axis, ...]) -> list[str]:
    """The best of what is cheaper but significantly worse: what saving more would cost."""
    own = _dearness(choice.contender, costs)
    for entry in remaining.entries:
        if entry.label not in remaining.tied and _dearness(entry.contender, costs) < own:
            loss = (remaining.entries[0].score - entry.score) * 100
            return [
                f"If losing about {loss:.1f} points is acceptable, {entry.label} is cheaper: "
                f"{_costs(entry.contender, costs)}."
            ]
    return []


def _without_limits(comparison: Comparison, remaining: Comparison) -> list[str]:
    best, fitting = comparison.entries[0], remaining.entries[0]
    if best is fitting:
        return []
    gain = (best.score - fitting.score) * 100
    return [
        f"Without the limits {best.label} would score highest, {gain:.1f} points above "
        f"{fitting.label}, the best that fits."
    ]


def _doubts(named: Sequence[Entry], remaining: Comparison) -> list[str]:
    """What was named and may have seen the test data, and the best of which that is not known."""
    doubted = {e.label: doubt for e in named if (doubt := e.contender.info.doubt)}
    sentences = [
        f"{label} {MAY_HAVE_SEEN}, so its score may be too high: {doubt}."
        for label, doubt in doubted.items()
    ]
    free = next((e for e in remaining.entries if e.contender.info.doubt is None), None)
    if doubted and free is not None:
        sentences.append(
            f"The best of which this is not known is {free.label}, with {_percent(free.score)}."
        )
    return sentences


def _broken(contender: Contender, limits: Limits) -> list[_Check]:
    """The limits that a contender exceeds, or about which nothing was measured."""
    cost = contender.cost
    in_currency = partial(digits.price, currency=cost.price_currency)
    quantities: tuple[tuple[str, float | None, float | None, Callable[[float], str]], ...] = (
        ("memory", limits.max_memory_bytes, cost.peak_bytes, digits.in_bytes),
        ("price", limits.max_price, cost.price, in_currency),
        ("latency", limits.max_latency_seconds, cost.latency_p95_seconds, digits.seconds),
    )
    return [
        _Check(noun, limit, value, shown(limit), "" if value is None else shown(value))
        for noun, limit, value, shown in quantities
        if limit is not None and (value is None or value > limit)
    ]


def _sentence(check: _Check) -> str:
    if check.value is None:
        return f"its {check.noun} was not measured, and the limit is {check.shown_limit}"
    return f"{check.noun} {check.shown_value} exceeds the limit of {check.shown_limit}"


def _relaxations(comparison: Comparison, broken: dict[str, list[_Check]]) -> tuple[str, ...]:
    """For each limit that alone excludes something, the smallest change that lets something in."""
    nearest: dict[str, tuple[float, str]] = {}
    for entry in comparison.entries:
        check, *more = broken[entry.label]
        if more or check.value is None:
            continue
        sentence = (
            f"Raise the limit on {check.noun} from {check.shown_limit} to "
            f"{check.shown_value}, and {entry.label} fits, with {_percent(entry.score)}."
        )
        if check.noun not in nearest or check.value < nearest[check.noun][0]:
            nearest[check.noun] = (check.value, sentence)
    if nearest:
        return tuple(sentence for _, sentence in nearest.values())
    nouns = sorted({check.noun for checks in broken.values() for check in checks})
    return (f"No single limit can be relaxed to let something in; relax {' and '.join(nouns)}.",)


def _dearness(contender: Contender, costs: tuple[Axis, ...]) -> tuple[float, ...]:
    values = (axis.value(contender) for axis in costs)
    return tuple(float("inf") if value is None else value for value in values)


def _costs(contender: Contender, costs: tuple[Axis, ...]) -> str:
    known = [(axis, axis.value(contender)) for axis in costs]
    texts = [axis.shown(value) for axis, value in known if value is not None]
    return ", ".join(texts) or "an unknown amount"


def _title(comparison: Comparison) -> str:
    return digits.metric_title(comparison.metric)


def _percent(score: float) -> str:
    return f"{score * 100:.1f} %"
