"""A run of ``studies/liu2025-small.yaml`` as the tables and claims of Liu et al. (2025)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from papers import claims
from papers.claims import ABSENT, MARGIN, NOT_REPRODUCED, REPRODUCED, UNTESTED, Finding, judged
from papers.parts import Duel, Part, duels, labels_of, read_parts, scored

from textune.report.axes import currency_of
from textune.report.blocks import Chapter, Column, Row, Table, Unit
from textune.report.compare import Entry
from textune.report.digits import metric_title
from textune.results.record import Cost

METRICS = {
    "function": ("macro_f1", "accuracy", "weighted_f1"),
    "entities": ("pair_f1", "micro_f1"),
    "reasoning": ("macro_f1", "accuracy"),
}
"""Part of the study -> what its task is scored by; the first one is tested."""
TITLES = {"pair_f1": "pair F1", "micro_f1": "strict span F1"}
FULL, CHEAPEST, WON = "full", "qlora", "reasoning"
"""The methods of claims 1 and 2, and the task where the paper sees small models lose."""


@dataclass(frozen=True)
class Measure:
    """Something that an approach needs."""

    title: str
    unit: Unit
    of_tasks: Callable[[Iterable[float]], float]
    """What several tasks need together."""
    of_cost: Callable[[Cost], float | None]


MEASURES = (
    Measure("Trainable parameters", "count", max, lambda cost: cost.trainable_params),
    Measure("Peak memory", "bytes", max, lambda cost: cost.peak_bytes),
    Measure("Fit", "seconds", sum, lambda cost: cost.fit_seconds),
    Measure("Processor time", "seconds", sum, lambda cost: cost.cpu_seconds),
    Measure("Price", "price", sum, lambda cost: cost.price),
)
DECIDING = ("Peak memory", "Fit", "Price")
"""What must be lowest for the method of claim 2."""

SAYS = {
    "1a": "Full fine-tuning scores highest of the tuning methods.",
    "1b": "Its lead over efficient methods is not significant.",
    "2": "QLoRA costs least to compute.",
    "3": "Tuned models of different size score about the same.",
    "4": "Tuned models beat the same models prompted only, by a large margin.",
    "5": "Tuned models win clearly against small ones in reasoning, and are about equal to them "
    "in entities and citation function.",
}
LARGE = f"{100 * MARGIN:.0f} points"
RULES = (
    "Tests are paired bootstraps over tested examples, by the first metric of a task in the table "
    "of quality, with Holm's correction over all tests of a claim. The best of a group is chosen "
    "by the scores that are tested, so its difference is a little too large.",
    "1a is reproduced in a task where no efficient method has a higher mean, 1b where full "
    "fine-tuning and the best efficient method are not clearly apart.",
    f"2 is reproduced where {CHEAPEST} has the lowest peak memory, time to fit and price of all "
    "tuned methods; a processor cannot test it, as 4-bit weights save memory and cost time there.",
    "3 needs tuned models of several sizes.",
    "4 is reproduced where the best tuned method is clearly above the best prompt of the same "
    f"model, by {LARGE} or more.",
    f"5 is reproduced where the best tuned method is clearly above the best small model ({WON}), "
    "or not clearly apart from it (elsewhere).",
    "1a, 1b, 4 and 5 cannot be tested at this size in a task where the two are not clearly apart "
    f"and a difference in accuracy of {LARGE} would be missed more than once in five times.",
    claims.NOTHING_LEARNT,
)


def markdown(root: Path) -> str:
    """Tables and claims of the run."""
    parts = read_parts(root, METRICS)
    leads = duels(pair for part in parts for pair in _full_and_others(part))
    gains = duels(pair for part in parts for pair in _tuned_and_prompted(part))
    rivals = duels(pair for part in parts for pair in _tuned_and_small(part))
    findings = [_of_cost(parts), claims.of_sizes("3", parts)]
    for part in parts:
        findings += _of_full(part, [duel for duel in leads if duel.part is part])
        findings += [_of_prompts(part, [duel for duel in gains if duel.part is part])]
        findings += [_of_small(part, [duel for duel in rivals if duel.part is part])]
    prompts = ", ".join(dict.fromkeys(f"{d.other.label} in {d.part.name}" for d in gains))
    lead = {(duel.part.name, duel.other.label): duel for duel in leads}
    gain = {(duel.part.name, duel.one.label): duel for duel in gains}
    captions = (
        (lead, "Full fine-tuning minus each efficient method."),
        (gain, f"Each tuned method minus the best prompt of its model ({prompts})."),
    )
    tests = (differences(parts, of, caption) for of, caption in captions if of)
    chapters = (
        claims.chapter(SAYS, claims.where_learnt(findings, parts), RULES, parts),
        Chapter("quality", "As in the paper: quality", (quality(parts), *tests)),
        Chapter("cost", "As in the paper: cost", (costs(parts),)),
    )
    return claims.page("Liu et al. (2025)", "From a small run.", chapters, parts)


def quality(parts: Sequence[Part]) -> Table:
    """Approaches in rows, tasks and their metrics in columns."""
    scores = [(p.name, metric, of) for p in parts for metric, of in p.scores.items()]
    columns = [
        Column(f"{name}: {TITLES.get(metric) or metric_title(metric)}", "score")
        for name, metric, _ in scores
    ]
    rows = tuple(
        Row((x, *(scored(of[x].interval()) if x in of else None for *_, of in scores)))
        for x in labels_of(parts)
    )
    caption = (
        "Means over seeds in percent, with 95 % bootstrap intervals over tested examples. Pair F1 "
        "counts strings with their type, as the authors do; strict span F1 asks for the place too."
    )
    return Table("quality", caption, (Column("Approach"), *columns), rows)


def costs(parts: Sequence[Part]) -> Table:
    """What an approach costs, and what it keeps of full fine-tuning's score."""
    contenders = tuple(entry.contender for p in parts for entry in p.comparison.entries)
    columns = [Column("Approach"), Column("Tasks", "count")]
    for measure in MEASURES:
        currency = f" ({currency_of(contenders)})" if measure.unit == "price" else ""
        columns.append(Column(f"{measure.title}{currency}", measure.unit))
    columns += [Column(f"Of full's score, {part.name}", "score") for part in parts]
    rows = []
    for label in labels_of(parts):
        has = [part for part in parts if label in part.main]
        kept = (_kept(part, label) for part in parts)
        rows.append(Row((label, len(has), *bill(has, label).values(), *kept)))
    kinds = sorted({r.cost.peak_kind for c in contenders for r in c.records if r.cost})
    caption = (
        "A mean cell of each task, summed over the tasks that an approach has: compare rows of as "
        f"many tasks. Of parameters and {' and '.join(kinds)} memory the highest. Fit is wall "
        "time; processor time is of fit and test predictions. Shares of full fine-tuning's score, "
        "by the first metric of the task, are in percent."
    )
    return Table("cost", caption, tuple(columns), tuple(rows))


def bill(parts: Sequence[Part], label: str) -> dict[str, float | None]:
    """Measure -> what the approach needs in these parts; None if it is not known of all."""
    spent = [part.comparison.entry(label).contender.cost for part in parts]
    found: dict[str, float | None] = {}
    for measure in MEASURES:
        known = [each for cost in spent if (each := measure.of_cost(cost)) is not None]
        found[measure.title] = measure.of_tasks(known) if len(known) == len(spent) else None
    return found


def _kept(part: Part, label: str) -> float | None:
    full = next((e for e in part.ranked("tuned") if e.contender.info.method == FULL), None)
    if full is None or label not in part.main or not part.main[full.label].observed:
        return None
    return part.main[label].observed / part.main[full.label].observed


def differences(parts: Sequence[Part], of: dict[tuple[str, str], Duel], caption: str) -> Table:
    """Methods in rows; for each task the difference and its P."""
    columns, rows = [Column("Method")], []
    for part in parts:
        columns += [Column(part.name, "points"), Column("P adjusted", "probability")]
    for label in [x for x in labels_of(parts) if any(x == label for _, label in of)]:
        found = (of.get((part.name, label)) for part in parts)
        cells = [(duel.difference, duel.p_adjusted) if duel else (None, None) for duel in found]
        rows.append(Row((label, *(value for pair in cells for value in pair))))
    return Table("differences", caption, tuple(columns), tuple(rows))


Pairs = Iterable[tuple[Part, Entry, Entry]]


def _full_and_others(part: Part) -> Pairs:
    tuned = part.ranked("tuned")
    fulls = [entry for entry in tuned if entry.contender.info.method == FULL]
    return ((part, full, entry) for full in fulls for entry in tuned if entry not in fulls)


def _tuned_and_prompted(part: Part) -> Pairs:
    for entry in part.ranked("tuned"):
        model = entry.contender.info.model
        prompts = [p for p in part.ranked("prompted") if p.contender.info.model == model]
        yield from ((part, entry, prompt) for prompt in prompts[:1])


def _tuned_and_small(part: Part) -> Pairs:
    return zip([part], part.ranked("tuned"), part.ranked("small model"), strict=False)


def _of_full(part: Part, leads: Sequence[Duel]) -> list[Finding]:
    if not leads:
        facts = "needs full fine-tuning and an efficient method"
        return [Finding(claim, part.name, facts, ABSENT) for claim in ("1a", "1b")]
    least = min(leads, key=lambda duel: duel.difference)
    below = [duel.other.label for duel in leads if duel.is_clear and duel.difference > 0]
    facts = f"{least.facts}; {FULL} is clearly above {len(below)} of {len(leads)}"
    facts += f" ({', '.join(below)})" if below else ""
    return [
        judged("1a", least, is_as_claimed=least.difference >= 0),
        judged("1b", least, is_as_claimed=not least.is_clear, facts=facts),
    ]


def _of_cost(parts: Sequence[Part]) -> Finding:
    everywhere = [
        entry
        for entry in parts[0].ranked("tuned")
        if all(entry.label in part.main for part in parts)
    ]
    cheapest = next((e for e in everywhere if e.contender.info.method == CHEAPEST), None)
    if cheapest is None or len(everywhere) == 1:
        return Finding("2", "all parts", f"needs {CHEAPEST} and another method", ABSENT)
    bills = {entry.label: bill(parts, entry.label) for entry in everywhere}
    places: dict[str, int] = {}
    for title, own in bills[cheapest.label].items():
        others = [b[title] for b in bills.values()]
        if own is not None and None not in others:
            places[title] = 1 + sum(each < own for each in others if each is not None)
    told = ", ".join(f"{title.lower()} {place}" for title, place in places.items())
    facts = f"place of {cheapest.label} among {len(bills)} tuned methods, lowest first: {told}"
    is_lowest = all(places.get(title) == 1 for title in DECIDING)
    costs = [r.cost for r in cheapest.contender.records if r.cost is not None]
    if any(cost.peak_kind != "device" for cost in costs):
        return Finding("2", "all parts", facts, UNTESTED)
    return Finding("2", "all parts", facts, REPRODUCED if is_lowest else NOT_REPRODUCED)


def _of_prompts(part: Part, gains: Sequence[Duel]) -> Finding:
    if not gains:
        return Finding("4", part.name, "needs a tuned and a prompted model", ABSENT)
    most = max(gains, key=lambda duel: duel.difference)
    above = sum(duel.is_clear and duel.difference > 0 for duel in gains)
    facts = f"{most.facts}; {above} of {len(gains)} tuned methods are clearly above that prompt"
    is_large = most.is_clear and most.difference >= MARGIN
    return judged("4", most, is_as_claimed=is_large, facts=facts)


def _of_small(part: Part, rivals: Sequence[Duel]) -> Finding:
    if not rivals:
        return Finding("5", part.name, "needs a tuned and a small model", ABSENT)
    (duel,) = rivals
    is_won = duel.is_clear and duel.difference > 0
    return judged("5", duel, is_as_claimed=is_won if part.name == WON else not duel.is_clear)
