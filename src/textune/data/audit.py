"""Audit: what to know about a data set before spending anything on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from textune.data import findings as checks
from textune.data.examples import Answer, Examples
from textune.data.findings import Finding, LabelsIn, Part

LEVELS = ("problem", "warning", "info")


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Quantiles of lengths, in whatever unit was counted."""

    minimum: float
    median: float
    p95: float
    maximum: float


@dataclass(frozen=True, kw_only=True)
class PartSummary:
    """One part in numbers."""

    name: str
    """``train`` or ``test``."""
    num_examples: int
    labels: dict[Answer, int]
    """Label -> number of examples (of entities, where answers list them), in the task's order."""
    words: Lengths
    """Words an example, both texts of a pair together."""
    characters: Lengths
    """Characters an example, both texts of a pair together."""
    num_groups: int
    """Distinct groups; zero where examples name none."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What to know about a data set."""

    parts: tuple[PartSummary, ...]
    """Train, then test where there is one."""
    tokens: dict[str, Lengths] = field(default_factory=dict)
    """Model -> tokens an example, where they were counted."""
    findings: tuple[Finding, ...]
    """Problems first, then warnings, then infos."""


def audit(
    train: Examples,
    test: Examples | None,
    *,
    labels: Sequence[Answer],
    labels_in: LabelsIn = lambda answer: (answer,),
    folds: int = 5,
    token_counts: Mapping[str, Sequence[int]] | None = None,
) -> Audit:
    """Look at labels, repeats, leaks, lengths and groups.

    Args:
        train: the training part, or everything when there is no test part; with answers.
        test: the fixed test part.
        labels: the task's labels, in order.
        labels_in: the labels that an answer names.
        folds: a label should have at least as many examples.
        token_counts: model -> tokens of each example, counted by whoever has the tokenizer.
    """
    seen = Part.of("train", train)
    held = Part.of("test", test) if test is not None else None
    parts = [part for part in (seen, held) if part is not None]
    assert all(len(part.examples) for part in parts), "an empty part"
    found = [
        *checks.label_findings(seen, held, labels, folds, labels_in),
        *checks.repeat_findings(seen, held),
        *checks.near_findings(seen, held),
        *checks.text_findings(parts),
        *checks.group_findings(seen, held),
    ]
    if any(len(row.texts) > 1 for row in train):
        found += checks.pair_findings(seen, held)
    return Audit(
        parts=tuple(_summary(part, labels, labels_in) for part in parts),
        tokens={model: lengths(counts) for model, counts in (token_counts or {}).items()},
        findings=tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level))),
    )


def lengths(counts: Sequence[int]) -> Lengths:
    """Quantiles of at least one count."""
    minimum, median, p95, maximum = np.quantile(counts, [0, 0.5, 0.95, 1]).tolist()
    return Lengths(minimum=minimum, median=median, p95=p95, maximum=maximum)


def _summary(part: Part, labels: Sequence[Answer], labels_in: LabelsIn) -> PartSummary:
    rows = part.examples
    counts = checks.count_labels(rows, labels_in)
    return PartSummary(
        name=part.name,
        num_examples=len(rows),
        labels={label: counts[label] for label in labels},
        words=lengths([sum(len(text.split()) for text in row.texts) for row in rows]),
        characters=lengths([sum(map(len, row.texts)) for row in rows]),
        num_groups=len({row.group for row in rows} - {None}),
    )
