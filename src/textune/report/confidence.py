"""How confident an entry's answers are, and what that confidence is worth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from textune.evaluation.abstention import Abstention, abstention, risk_coverage
from textune.evaluation.probabilities import Bin, Flags, Floats, reliability
from textune.report.compare import Comparison, Entry

ASKED_FOR = (0.90, 0.95)
"""Shares of right answers at which coverage is given."""
STEPS = tuple(range(5, 101, 5))
"""Percents of coverage at which the share of right answers is given."""


@dataclass(frozen=True, eq=False)
class Judged:
    """The answers of an entry: for each seed how confident, -inf without, and whether right."""

    entry: Entry
    confidences: tuple[Floats, ...]
    rights: tuple[Flags, ...]

    @property
    def is_known(self) -> bool:
        """Whether there is a confidence at all."""
        return any(np.isfinite(each).any() for each in self.confidences)

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """Of all seeds together."""
        confidence, is_right = np.concatenate(self.confidences), np.concatenate(self.rights)
        is_known = np.isfinite(confidence)
        return reliability(confidence[is_known], is_right[is_known])

    @property
    def mean_confidence(self) -> float:
        """Of answers with a confidence."""
        return sum(b.confidence * b.num_examples for b in self.bins) / self.num_known

    @property
    def share_right(self) -> float:
        """Of answers with a confidence."""
        return sum(b.share_right * b.num_examples for b in self.bins) / self.num_known

    @property
    def num_known(self) -> int:
        """Answers with a confidence."""
        return sum(b.num_examples for b in self.bins)

    @cached_property
    def abstention(self) -> Abstention:
        """Area, and coverage at ``ASKED_FOR``."""
        return abstention(self.confidences, self.rights, ASKED_FOR)

    @cached_property
    def curve(self) -> list[float]:
        """Share of right answers at each of ``STEPS``, mean over seeds."""
        curves = [risk_coverage(*each) for each in zip(self.confidences, self.rights, strict=True)]
        return [float(np.mean([c.share_right_at(s / 100) for c in curves])) for s in STEPS]


def judge(comparison: Comparison, entry: Entry) -> Judged:
    """The answers of an entry."""
    loaded = comparison.loaded
    kind, gold = loaded.run.task.kind, loaded.tested.answers
    confidences, rights = [], []
    for said in entry.contender.said:
        given = np.array([each.confidence for each in said], dtype=np.float64)  # None is NaN
        confidences.append(np.where(np.isfinite(given), given, -np.inf))
        rights.append(
            np.array([kind.is_right(s.answer, g) for s, g in zip(said, gold, strict=True)])
        )
    return Judged(entry, tuple(confidences), tuple(rights))
