"""Claims of a paper beside what a run has to say about them; verdicts follow from rules."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from papers.parts import Duel, Part, setting

from textune.report import render
from textune.report.blocks import Chapter, Column, Page, Points, Row, Table, Text
from textune.report.compare import ALPHA
from textune.report.doubts import doubts_of, marked

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
UNTESTED = "cannot be tested at this size"
ABSENT, NO_RULE = "not in this run", "not tested here"
MARGIN = 0.1
"""What counts as a large difference where the paper gives no number."""


@dataclass(frozen=True)
class Finding:
    """What a part of a run says about a claim."""

    claim: str
    """Its number."""
    where: str
    facts: str
    verdict: str


def judged(
    claim: str, duel: Duel, *, is_as_claimed: bool, facts: str = "", margin: float = MARGIN
) -> Finding:
    """A test that found nothing, and would hardly have found ``margin``, decides nothing."""
    verdict = REPRODUCED if is_as_claimed else NOT_REPRODUCED
    if duel.is_blunt(margin) and not duel.is_clear:
        verdict = UNTESTED
    return Finding(claim, duel.part.name, facts or duel.facts, verdict)


NOTHING_LEARNT = (
    "No claim can be tested in a task where no tuned model has learnt anything: where the 95 % "
    "interval of every accuracy holds, or lies below, that of always answering the most frequent "
    "label."
)


def where_learnt(findings: Sequence[Finding], parts: Sequence[Part]) -> list[Finding]:
    """Nothing is decided in a part where tuning taught nothing; the numbers stay."""
    idle = {part.name for part in parts if part.ranked("tuned") and not part.has_learnt}
    told = "; no tuned model has learnt anything here"
    return [
        replace(f, verdict=UNTESTED, facts=f.facts + told)
        if f.where in idle and f.verdict in (REPRODUCED, NOT_REPRODUCED)
        else f
        for f in findings
    ]


def of_sizes(claim: str, parts: Sequence[Part]) -> Finding:
    """About tuned models of different size; one model says nothing."""
    models = sorted({e.contender.info.model or "" for p in parts for e in p.ranked("tuned")})
    verdict = {0: ABSENT, 1: UNTESTED}.get(len(models), NO_RULE)
    return Finding(claim, "all parts", f"tuned models: {', '.join(models) or 'none'}", verdict)


def chapter(
    says: Mapping[str, str],
    findings: Sequence[Finding],
    rules: Sequence[str],
    parts: Sequence[Part],
) -> Chapter:
    """The verdict of each claim, the numbers that it is derived from, the rules, the setting."""
    verdicts = Points(tuple(f"Claim {n}: {says[n]} {_verdict(n, findings)}" for n in says))
    columns = (Column("Claim"), Column("Where"), Column("Numbers", "text"), Column("Verdict"))
    ordered = sorted(findings, key=lambda finding: list(says).index(finding.claim))
    rows = tuple(Row((f.claim, f.where, f.facts, f.verdict)) for f in ordered)
    caption = "What each verdict is derived from; scores in percent, P after Holm's correction."
    table = Table("claims", caption, columns, rows)
    means = f"Clear means an adjusted P below {ALPHA:g}."
    told = (Text("What was run:"), setting(parts), Text("The rules:"), Points((*rules, means)))
    return Chapter("claims", "Claims of the paper", (verdicts, table, *told))


def _verdict(claim: str, findings: Sequence[Finding]) -> str:
    found: dict[str, list[str]] = {}
    for finding in findings:
        if finding.claim == claim:
            found.setdefault(finding.verdict, []).append(finding.where)
    if len(found) == 1:
        return f"Here: {next(iter(found))}."
    each = (f"{verdict} in {', '.join(where)}" for verdict, where in found.items())
    return f"Here: {'; '.join(each)}."


def page(title: str, subtitle: str, chapters: Sequence[Chapter], parts: Sequence[Part]) -> str:
    """Markdown, with marks at names of what may have seen the test data."""
    loaded = [part.comparison.loaded for part in parts]
    doubts = {label: why for each in loaded for label, why in doubts_of(each.contenders).items()}
    return render.markdown(marked(Page(title, subtitle, tuple(chapters)), lambda _: doubts))
