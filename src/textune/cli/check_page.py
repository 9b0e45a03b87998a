"""What ``textune check`` prints for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textune.cli.output import print_lines, print_table
from textune.core.errors import TextuneError
from textune.data.audit import Audit, Lengths
from textune.data.findings import LEVELS, Finding, percent
from textune.results.run import MAY_HAVE_SEEN
from textune.study.draft import flow

if TYPE_CHECKING:
    from textune.cli.checking import Checked
    from textune.evaluation.artefacts import Artefacts
    from textune.study.protocol import Recommended

SHOWN = 3
"""Examples of a finding that are printed; JSON has up to five."""
ALIKE = (
    "contradiction",
    "leak",
    "near leak",
    *(f"{how} in {part}" for how in ("repeats", "near repeats") for part in ("train", "test")),
)
"""Findings about texts that should have one label: other labels are printed."""


def print_page(checked: Checked, source: str, study: Path | None) -> None:
    """The data in numbers, findings, what can be seen, and what to do."""
    task = checked.task
    print_lines([task.title or task.name, ""])
    _print_parts(checked.audit)
    _print_labels(checked.audit)
    if checked.audit.tokens:
        _print_tokens(checked.audit)
    if checked.artefacts is not None:
        _print_artefacts(checked.artefacts)
    _print_findings(checked.audit.findings)
    if isinstance(checked.recommended, TextuneError):
        error = checked.recommended
        print_lines(["no protocol can be recommended", f"  {error.message}", f"  {error.hint}"])
        return
    _print_recommended(checked.recommended)
    for doubt in checked.doubts:
        print_lines(["", f"{MAY_HAVE_SEEN}: {doubt}"])
    if study is None:
        print_lines(["", f"next: textune check {source} --study study.yaml"])
    else:
        print_lines(["", f"study file: {study}", f"next: textune plan {study}"])


def _print_parts(audit: Audit) -> None:
    header = ["part", "examples", "words: median", "95 %", "most", "groups"]
    rows = [
        [part.name, f"{part.num_examples:,}", *_quantiles(part.words), f"{part.num_groups:,}"]
        for part in audit.parts
    ]
    width = len(header) if any(part.num_groups for part in audit.parts) else len(header) - 1
    print_table(header[:width], [row[:width] for row in rows])


def _print_labels(audit: Audit) -> None:
    header = ["label", *(name for part in audit.parts for name in (part.name, "share"))]
    totals = [sum(part.labels.values()) for part in audit.parts]
    rows = []
    for label in audit.parts[0].labels:
        row = [label]
        for part, total in zip(audit.parts, totals, strict=True):
            row += [f"{part.labels[label]:,}", percent(part.labels[label] / max(1, total))]
        rows.append(row)
    print_lines([""])
    print_table(header, rows)


def _print_tokens(audit: Audit) -> None:
    header = ["tokens for", "median", "95 %", "most", "can read", "cut"]
    rows = [
        [model, *_quantiles(tokens.lengths), f"{tokens.room:,}", f"{tokens.num_cut:,}"]
        for model, tokens in audit.tokens.items()
    ]
    print_lines([""])
    print_table(header, rows)


def _print_artefacts(artefacts: Artefacts) -> None:
    of = "samples of " * artefacts.is_sampled
    print_lines(
        [
            "",
            f"what classifiers tell that see little (learnt from {of}{artefacts.num_train:,}, "
            f"tested on {artefacts.num_tested:,} examples)",
        ]
    )
    rows = [["nothing", percent(artefacts.chance), ""]]
    for blind in artefacts.classifiers:
        interval = f"{100 * blind.low:.1f} to {percent(blind.high)}"
        rows.append([f"{blind.sees} alone", percent(blind.recall), interval])
    print_table(["sees", "mean recall of labels", "95 % interval"], rows)


def _print_findings(findings: tuple[Finding, ...]) -> None:
    print_lines([""])
    width = max(map(len, LEVELS))
    for finding in findings:
        print_lines([f"{finding.level:<{width}}  {finding.message}"])
        for excerpt in finding.examples[:SHOWN]:
            is_torn = finding.name in ALIKE and len(set(excerpt.answers)) > 1
            answers = f"  [{', '.join(excerpt.answers)}]" * is_torn
            ids = ", ".join(excerpt.ids[:SHOWN]) + ", ..." * (len(excerpt.ids) > SHOWN)
            print_lines([f"{'':<{width}}    {excerpt.text}{answers}  ({ids})"])
    print_lines([""] if findings else ["no findings", ""])


def _print_recommended(recommended: Recommended) -> None:
    visible = recommended.visible
    print_lines(
        [
            f"{visible.num_tested:,} tested examples show differences of "
            f"{visible.metric_name} from about {100 * visible.difference:.1f} points",
            f"(found {100 * visible.power:.0f} times in 100 by two approaches that "
            f"{visible.assumption} and err independently)",
            "",
            "recommended protocol",
        ]
    )
    rows = [(f"  {each.key}: {flow(each.value)}", each.reason) for each in recommended.settings]
    width = max(len(setting) for setting, _ in rows)
    print_lines([f"{setting:<{width}}  {reason}" for setting, reason in rows])


def _quantiles(lengths: Lengths) -> list[str]:
    return [f"{value:,.0f}" for value in (lengths.median, lengths.p95, lengths.maximum)]
