"""Metrics of typed spans: how many of the gold ones were found, how many of the found are gold.

Conventions:

- ``micro_*`` and ``*:type`` are strict: start, end and type are right, as in CoNLL 2003.
- ``macro_f1`` is the mean over types whose F1 is defined.
- ``pair_*`` compare (surface, type) pairs and no offsets, as the evaluation of Liu et al. (2025)
  does: a found pair is right when it is among the gold pairs of its text, each one counted.
- ``partial_f1`` and ``type_f1`` are SemEval 2013's, counted by ``nervaluate``: boundaries that
  only overlap count half, whatever the type; the type is right and the boundaries overlap.
- ``exact_match`` is the share of texts whose entities are all right and no more.
- An invalid answer finds nothing. Precision without anything found, recall without gold, and F1
  without either are undefined.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from textune.data.entities import Entity, read_entities
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import Floats, Metrics, Tally, part_of, ratio

PARTS = ("precision", "recall", "f1")
SHARED = (
    "examples",
    "invalid",
    "exact",
    "pair gold",
    "pair found",
    "pair right",
    "same place",
    "overlapping",
    "same type",
)
"""Counts that are not of one type."""
OF_TYPE = ("gold", "found", "right")
"""Counts of each type."""


@dataclass(frozen=True, kw_only=True)
class Entities(Metrics):
    """Typed spans; the task's labels are the types."""

    def names(self) -> list[str]:
        """Of all types together, of pairs, and of each type."""
        together = [f"{way}_{part}" for way in ("micro", "pair") for part in PARTS]
        alone = [f"{part}:{label}" for part in PARTS for label in self.labels]
        rest = ["macro_f1", "partial_f1", "type_f1", "exact_match", "invalid_rate"]
        return [*together, *rest, *alone]

    def tally(self, gold: Sequence[str], answers: Sequence[str | None]) -> Tally:
        """For each example what ``SHARED`` and ``OF_TYPE`` name."""
        rows_NK = np.array(
            [self._row(g, a) for g, a in zip(gold, answers, strict=True)], dtype=np.float64
        ).reshape(len(gold), len(SHARED) + len(OF_TYPE) * len(self.labels))
        rows_UK, codes_N = np.unique(rows_NK, axis=0, return_inverse=True)
        return Tally(rows_UK, codes_N.reshape(-1).astype(np.int64))

    def compute(self, name: str, counts: Floats) -> Floats:
        """From the sums of those counts."""
        shared = {what: counts[..., at] for at, what in enumerate(SHARED)}
        by_type = counts[..., len(SHARED) :].reshape(*counts.shape[:-1], -1, len(OF_TYPE))
        gold_T, found_T, right_T = (by_type[..., at] for at in range(len(OF_TYPE)))
        gold, found, right = gold_T.sum(-1), found_T.sum(-1), right_T.sum(-1)
        if name == "macro_f1":
            f1 = part_of("f1", gold_T, found_T, right_T)
            defined = np.sum(~np.isnan(f1), axis=-1).astype(np.float64)
            return ratio(np.nansum(f1, axis=-1), defined)
        if name == "partial_f1":
            right = shared["same place"] + 0.5 * shared["overlapping"]
            return part_of("f1", gold, found, right)
        if name == "type_f1":
            return part_of("f1", gold, found, shared["same type"])
        if name in ("exact_match", "invalid_rate"):
            return ratio(shared[name.split("_")[0]], shared["examples"])
        if ":" in name:
            part, _, label = name.partition(":")
            at = self.labels.index(label)
            return part_of(part, gold_T[..., at], found_T[..., at], right_T[..., at])
        way, _, part = name.partition("_")
        if way == "pair":
            gold, found, right = (shared[f"pair {what}"] for what in OF_TYPE)
        return part_of(part, gold, found, right)

    def beyond_counts(
        self, predictions: Predictions, gold: Sequence[str]
    ) -> dict[str, float | None]:
        """Nothing."""
        return {}

    def _row(self, gold: str, answer: str | None) -> list[float]:
        true, found = read_entities(gold), read_entities(answer) if answer is not None else ()
        pairs = {(e.surface, e.type) for e in true}
        right = {*true} & {*found}
        shared = [
            1,
            answer is None,
            answer == gold,
            len(true),
            len(found),
            sum((e.surface, e.type) in pairs for e in found),
            *_overlaps(true, found),
        ]
        by_type = [_of_type(each, t) for t in self.labels for each in (true, found, right)]
        return [float(number) for number in (*shared, *by_type)]


def _of_type(entities: Iterable[Entity], type: str) -> int:
    return sum(entity.type == type for entity in entities)


def _overlaps(true: Sequence[Entity], found: Sequence[Entity]) -> tuple[int, int, int]:
    """Found at the same place, found overlapping, found with the right type and overlapping."""
    if not true or not found:
        return 0, 0, 0
    from nervaluate.entities import Entity as Span
    from nervaluate.strategies import EntityTypeEvaluation, PartialEvaluation

    spans = [[Span(e.type, e.start, e.end - 1) for e in each] for each in (true, found)]
    tags = sorted({e.type for e in (*true, *found)})
    places, _ = PartialEvaluation().evaluate(*spans, tags)
    types, _ = EntityTypeEvaluation().evaluate(*spans, tags)
    return places.correct, places.partial, types.correct
