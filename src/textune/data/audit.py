"""Audit: what to know about a data set before spending anything on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from textune.data import checks
from textune.data.examples import Answer, Example, Examples
from textune.data.findings import (
    Finding,
    LabelsIn,
    Part,
    by_level,
    count_labels,
    counted,
    shown,
)


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


@dataclass(frozen=True)
class TokenCounts:
    """What a model's tokenizer makes of the examples, counted by whoever has it."""

    counts: Sequence[int]
    """Tokens of each input, of train, then of test."""
    room: int
    """Most tokens of an input; what is longer is cut."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token counts in numbers."""

    lengths: Lengths
    room: int
    """Most tokens of an input."""
    num_cut: int
    """Examples whose input is longer and would be cut."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What to know about a data set."""

    parts: tuple[PartSummary, ...]
    """Train, then test where there is one."""
    tokens: dict[str, Tokens] = field(default_factory=dict)
    """Model -> tokens an example, where they were counted."""
    findings: tuple[Finding, ...]
    """Problems first, then warnings, then infos."""

    def number(self, name: str) -> int:
        """How many examples, texts, labels or groups a finding is about; 0 without it."""
        return sum(finding.count for finding in self.findings if finding.name == name)


def audit(
    train: Examples,
    test: Examples | None,
    *,
    labels: Sequence[Answer],
    labels_in: LabelsIn = lambda answer: (answer,),
    said: Callable[[Answer], str] = str,
    folds: int = 5,
    token_counts: Mapping[str, TokenCounts] | None = None,
) -> Audit:
    """Look at labels, repeats, leaks, lengths and groups.

    Args:
        train: the training part, or everything when there is no test part; with answers.
        test: the fixed test part.
        labels: the task's labels, in order.
        labels_in: the labels that an answer names.
        said: an answer for people.
        folds: a label should have at least as many examples.
        token_counts: model -> tokens of each example.
    """
    seen = Part.of("train", train)
    held = Part.of("test", test) if test is not None else None
    parts = [part for part in (seen, held) if part is not None]
    assert all(len(part.examples) for part in parts), "an empty part"
    tokens = token_counts or {}
    found = [
        *checks.label_findings(seen, held, labels, folds, labels_in),
        *checks.repeat_findings(seen, held),
        *checks.near_findings(seen, held),
        *(finding for part in parts for finding in checks.text_findings(part)),
        *_cut_findings([row for part in parts for row in part.examples], tokens),
        *checks.balance_findings(seen, labels, labels_in, said),
        *checks.group_findings(seen, held),
    ]
    if any(len(row.texts) > 1 for row in train):
        found += checks.pair_findings(seen, held)
    return Audit(
        parts=tuple(_summary(part, labels, labels_in) for part in parts),
        tokens={model: _tokens(counts) for model, counts in tokens.items()},
        findings=by_level(found),
    )


def lengths(counts: Sequence[int]) -> Lengths:
    """Quantiles of at least one count."""
    minimum, median, p95, maximum = np.quantile(counts, [0, 0.5, 0.95, 1]).tolist()
    return Lengths(minimum=minimum, median=median, p95=p95, maximum=maximum)


def _summary(part: Part, labels: Sequence[Answer], labels_in: LabelsIn) -> PartSummary:
    rows = part.examples
    counts = count_labels(rows, labels_in)
    return PartSummary(
        name=part.name,
        num_examples=len(rows),
        labels={label: counts[label] for label in labels},
        words=lengths([sum(len(text.split()) for text in row.texts) for row in rows]),
        characters=lengths([sum(map(len, row.texts)) for row in rows]),
        num_groups=len({row.group for row in rows} - {None}),
    )


def _tokens(tokens: TokenCounts) -> Tokens:
    num_cut = sum(count > tokens.room for count in tokens.counts)
    return Tokens(lengths=lengths(tokens.counts), room=tokens.room, num_cut=num_cut)


def _cut_findings(rows: Sequence[Example], tokens: Mapping[str, TokenCounts]) -> list[Finding]:
    """Examples that do not fit a model, the longest shown first."""
    found = []
    for model, counted_tokens in tokens.items():
        room = counted_tokens.room
        cut = [
            (count, row)
            for count, row in zip(counted_tokens.counts, rows, strict=True)
            if count > room
        ]
        if cut:
            cut.sort(key=lambda item: -item[0])
            verb = "is" if len(cut) == 1 else "are"
            what = f"{counted(len(cut), 'example')} {verb} cut for {model}"
            message = f"{what}: longer than its {room:,} tokens, by {cut[0][0] - room:,} at most"
            groups = [(row,) for _, row in cut]
            found.append(shown("warning", f"cut for {model}", message, len(cut), groups))
    return found
