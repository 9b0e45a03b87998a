"""A run of ``studies/han2025-small.yaml`` as the tables and claims of Han, Shi and Tsui (2025)."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from papers import claims
from papers.claims import ABSENT, Finding, judged
from papers.parts import Duel, Part, duels, labels_of, read_parts, scored

from textune.evaluation.metrics.base import metrics_of
from textune.evaluation.over_seeds import resample
from textune.evaluation.significance import holm
from textune.report.blocks import Chapter, Column, Row, Table, Value
from textune.report.compare import Entry

METRIC = "positive_f1"
RANDOM, GROUPED = "random", "grouped"
TUNED, RIVAL = "lora", "siamese_cnn"
"""The method and the approach of the claims."""
LEAD = 0.03
"""Of the tuned model over the rival, in the paper."""
SAYS = {
    "1": "The task-tuned model beats larger ones without tuning, with and without examples in the "
    "prompt (84.9 against 65.0).",
    "2": "The tuned model beats the Siamese CNN by about 3 points (84.9 against 82.0).",
    "3": "A larger tuned model beats a smaller one (74.4 against 71.9, hidden GLUE test).",
}
RULES = (
    "Tests are paired bootstraps of F1 over the pooled predictions of all folds, at the largest "
    "training size, with Holm's correction over all rows of a table. The paper has random folds.",
    f"1 is reproduced where {TUNED} is clearly above every prompt of the same model. The paper "
    "compares with larger untuned models, which one model cannot show.",
    f"2 is reproduced where {TUNED} is clearly above {RIVAL}.",
    "1 and 2 cannot be tested at this size where two are not clearly apart and a difference in "
    f"accuracy of {100 * claims.MARGIN:.0f} points (1) or {100 * LEAD:.0f} points (2) would be "
    "missed more than once in five times.",
    "3 needs tuned models of several sizes.",
    claims.NOTHING_LEARNT,
)


def markdown(root: Path) -> str:
    """Tables and claims of the run."""
    parts = read_parts(root, dict.fromkeys((RANDOM, GROUPED), (METRIC, "accuracy")))
    tuned = duels(_against(parts, lambda entry: entry.contender.info.method == TUNED))
    rival = duels(_against(parts, lambda entry: RIVAL in entry.contender.info.spec))
    findings = [claims.of_sizes("3", parts)]
    for part in parts:
        own = [duel for duel in tuned if duel.part is part]
        findings += [_of_prompts(part, own), _of_rival(part, own)]
    tables = (scores(parts), *(tests(each) for each in (tuned, rival) if each))
    chapters = (
        claims.chapter(SAYS, claims.where_learnt(findings, parts), RULES, parts),
        Chapter("paper", "As in the paper: F1 of duplicates", tables),
    )
    return claims.page("Han, Shi and Tsui (2025)", "From a small run.", chapters, parts)


def scores(parts: Sequence[Part]) -> Table:
    """Approaches in rows; for both ways to make folds F1 with both intervals, and accuracy."""
    rows, names = _rows(parts), ("F1, mean over folds", "F1, pooled", "accuracy")
    columns = [Column(f"{part.name}: {name}", "score") for part in parts for name in names]
    columns = [Column("Approach"), *columns]
    columns += [Column("Random minus grouped", "points"), Column("P adjusted", "probability")]
    lines = []
    for by_part, (difference, p_value) in zip(rows, leaks(parts, rows), strict=True):
        cells: list[Value] = [next(iter(by_part.values())).label]
        for part in parts:
            entry = by_part.get(part.name)
            if entry is None:
                cells += [None, None, None]
            else:
                accuracy = entry.metrics.get("accuracy")
                cells += [scored(entry.over_cells), scored(entry.over_examples), accuracy]
        lines.append(Row((*cells, difference, p_value)))
    caption = (
        "In percent. Means over folds with 95 % t intervals, as in the paper; F1 of the pooled "
        "predictions of all folds with 95 % bootstrap intervals over pairs. Random minus grouped "
        "is what leaking questions are worth: pooled F1 on the same pairs, divided in both ways, "
        "with P of the paired bootstrap after Holm's correction over all rows."
    )
    return Table("scores", caption, tuple(columns), tuple(lines))


def leaks(
    parts: Sequence[Part], rows: Sequence[dict[str, Entry]]
) -> list[tuple[float | None, float | None]]:
    """For each row pooled F1 with random folds minus that with grouped ones, and adjusted P.

    Both are None for what one of the two lacks, or where the tested pairs are not the same ones.
    """
    loaded = {part.name: part.comparison.loaded for part in parts}
    both = [by_part for by_part in rows if len(by_part) == 2]
    if not both or {e.id for e in loaded[RANDOM].tested} != {e.id for e in loaded[GROUPED].tested}:
        return [(None, None)] * len(rows)
    place = {example.id: at for at, example in enumerate(loaded[GROUPED].tested)}
    order = [place[example.id] for example in loaded[RANDOM].tested]
    answers = [by_part[RANDOM].contender.answers for by_part in both]
    for by_part in both:
        of_seeds = by_part[GROUPED].contender.answers
        answers.append([[of_seed[at] for at in order] for of_seed in of_seeds])
    gold, metrics = loaded[RANDOM].tested.answers, metrics_of(loaded[RANDOM].run.task)
    draws = resample(METRIC, metrics, gold, answers)
    pairs = zip(draws[: len(both)], draws[len(both) :], strict=True)
    found = [with_leaks.test_against(without) for with_leaks, without in pairs]
    adjusted = iter(zip(found, holm([test.p_value for test in found]), strict=True))
    known = ((test.statistic, p_value) for test, p_value in adjusted)
    return [next(known) if len(by_part) == 2 else (None, None) for by_part in rows]


def tests(of: Sequence[Duel]) -> Table:
    """A row for each duel of one approach, with the second opinions of the report."""
    columns = (
        Column("Folds"),
        Column("Against"),
        Column("Difference", "points"),
        Column("P folds", "probability"),
        Column("P bootstrap", "probability"),
        Column("P adjusted", "probability"),
        Column("P McNemar", "probability"),
    )
    rows = []
    for duel in of:
        (pair,) = duel.part.comparison.among((duel.one.label, duel.other.label)).pairs
        told = (duel.p_bootstrap, duel.p_adjusted, pair.p_mcnemar)
        rows.append(Row((duel.part.name, duel.other.label, duel.difference, pair.p_folds, *told)))
    caption = (
        f"Pooled F1 of {of[0].one.label} minus that of each other one. P folds: corrected "
        "resampled t-test over folds; P bootstrap and, after Holm's correction over all rows, P "
        "adjusted: paired bootstrap over pairs; P McNemar: on right and wrong answers, first seed."
    )
    return Table("tests", caption, columns, tuple(rows))


def _rows(parts: Sequence[Part]) -> list[dict[str, Entry]]:
    """Part -> entry, of each approach at its smallest training size, its next one, and so on."""
    found: dict[tuple[str, int], dict[str, Entry]] = {}
    for part in parts:
        sizes = sorted({entry.contender.size for entry in part.comparison.entries})
        for entry in part.comparison.entries:
            key = (entry.contender.approach, sizes.index(entry.contender.size))
            found.setdefault(key, {})[part.name] = entry
    order = labels_of(parts)
    return sorted(found.values(), key=lambda by: order.index(next(iter(by.values())).label))


def _against(
    parts: Sequence[Part], is_one: Callable[[Entry], bool]
) -> Iterable[tuple[Part, Entry, Entry]]:
    """The first such entry of each part at its largest size, with every other one of that size."""
    for part in parts:
        entries = part.comparison.entries
        largest = max((entry.contender.size for entry in entries), default=0)
        by_label = {e.label: e for e in entries if e.contender.size == largest}
        sized = [by_label[label] for label in labels_of([part]) if label in by_label]
        for one in [entry for entry in sized if is_one(entry)][:1]:
            yield from ((part, one, other) for other in sized if other is not one)


def _of_prompts(part: Part, own: Sequence[Duel]) -> Finding:
    same = [
        duel
        for duel in own
        if duel.other.contender.info.family == "prompted"
        and duel.other.contender.info.model == duel.one.contender.info.model
    ]
    if not same:
        return Finding("1", part.name, f"needs {TUNED} and a prompt of its model", ABSENT)
    facts = "; ".join(duel.facts for duel in same)
    others = [duel for duel in same if not (duel.is_clear and duel.difference > 0)]
    weakest = min(others or same, key=lambda duel: duel.difference)
    return judged("1", weakest, is_as_claimed=not others, facts=facts)


def _of_rival(part: Part, own: Sequence[Duel]) -> Finding:
    duel = next((d for d in own if RIVAL in d.other.contender.info.spec), None)
    if duel is None:
        return Finding("2", part.name, f"needs {TUNED} and {RIVAL}", ABSENT)
    is_above = duel.is_clear and duel.difference > 0
    return judged("2", duel, is_as_claimed=is_above, margin=LEAD)
