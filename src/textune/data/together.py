"""Which examples belong together because they share a group or a text."""

from collections.abc import Sequence
from dataclasses import replace

from textune.data.duplicates import normalised
from textune.data.examples import Example, Examples


def joined_by_text(examples: Examples) -> Examples:
    """The examples, one group for all that share a group or a text, directly or through others.

    Questions recur across pairs: of (a, b), (b, c) and (d, e) the first two belong together. Case,
    punctuation and spaces do not tell texts apart, as in the audit. A group is named after its
    first example.
    """
    firsts = _first_of_each(examples.rows)
    rows = (
        replace(row, group=examples.rows[first].id)
        for row, first in zip(examples, firsts, strict=True)
    )
    return Examples(tuple(rows), source=examples.source)


def _first_of_each(rows: Sequence[Example]) -> list[int]:
    """For each example the position of the first one that it belongs together with."""
    parent = list(range(len(rows)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]  # half the way for whoever comes next
            place = parent[place]
        return place

    seen: dict[tuple[str, str], int] = {}
    for place, row in enumerate(rows):
        keys = [("text", normalised(text)) for text in row.texts]
        keys += [("group", row.group)] if row.group is not None else []
        for key in keys:
            one, other = root(seen.setdefault(key, place)), root(place)
            parent[max(one, other)] = min(one, other)
    return [root(place) for place in range(len(rows))]
