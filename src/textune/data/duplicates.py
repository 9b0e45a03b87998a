"""Examples with the same texts, or nearly the same.

Near duplicates are a lower bound: the index misses about one in a hundred at the threshold, large
clusters and crowded buckets are searched in part, and words are what stands between spaces, so a
language written without them shows only exact repeats.
"""

import heapq
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textune.data.examples import Example

if TYPE_CHECKING:
    from datasketch import MinHash

THRESHOLD = 0.7
"""Jaccard similarity of word 3-grams from which two examples are near duplicates."""
NUM_HASHES = 128
"""Length of a MinHash signature."""
BANDS = (25, 5)
"""Bands and rows a band: a pair at the threshold is proposed with probability 0.99."""
MAX_CLUSTER = 20
"""Members of a cluster that later examples are compared with."""
MAX_CANDIDATES = 100
"""Candidates of the index that one example is compared with."""

Key = tuple[str, ...]
"""The normalised texts of an example: what exact duplicates have in common."""


class _Punctuation(dict[int, str]):
    """Translates punctuation (every Unicode category P) to a space, the rest to itself."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = " " if unicodedata.category(character).startswith("P") else character
        return self[code]


_PUNCTUATION = _Punctuation()


MARKERS = {"[[": " \u25b8 ", "]]": " \u25c2 "}
"""Doubled brackets mark arguments: the same sentence with other arguments is another example."""


def normalised(text: str) -> str:
    """The text without case, punctuation and surplus spaces; with them if nothing else is left."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    for brackets, marker in MARKERS.items():
        folded = folded.replace(brackets, marker)
    return " ".join(folded.translate(_PUNCTUATION).split()) or re.sub(r"\s+", " ", folded).strip()


def key_of(example: Example) -> Key:
    """The normalised texts of an example, in order."""
    return tuple(normalised(text) for text in example.texts)


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs (earlier, later) of different keys that are nearly the same."""

    train: list[tuple[Key, Key]]
    test: list[tuple[Key, Key]]
    across: list[tuple[Key, Key]]
    """From train to test."""


def near_duplicates(train: Sequence[Key], test: Sequence[Key]) -> NearDuplicates:
    """Each key with one earlier key that is nearly the same, where there is one.

    MinHash with locality-sensitive hashing proposes; the exact Jaccard similarity of the sets of
    word 3-grams decides. The texts of a pair share one set, so their order does not count.
    """
    train_keys, test_keys = list(dict.fromkeys(train)), list(dict.fromkeys(test))
    train_index, test_index = _Index(), _Index()
    within_train = _matched_within(train_keys, train_index)
    within_test = _matched_within(test_keys, test_index)
    known = set(train_keys)
    new = [item for item in test_index.items if item.key not in known]
    matches = [(train_index.find(item), item.key) for item in new]
    across = [(match.key, key) for match, key in matches if match is not None]
    return NearDuplicates(within_train, within_test, across)


@dataclass(frozen=True)
class _Item:
    """A key with its set of word 3-grams and their MinHash signature."""

    key: Key
    shingles: frozenset[str]
    signature: "MinHash"

    def is_near(self, other: "_Item") -> bool:
        shared = len(self.shingles & other.shingles)
        return shared >= THRESHOLD * (len(self.shingles) + len(other.shingles) - shared)


class _Index:
    """Finds an earlier item that is nearly the same."""

    def __init__(self) -> None:
        from datasketch import MinHashLSH

        self.buckets = MinHashLSH(params=BANDS, num_perm=NUM_HASHES)
        self.items: list[_Item] = []
        self.leaders: dict[Key, Key] = {}
        self.sizes: Counter[Key] = Counter()

    def find(self, item: _Item) -> _Item | None:
        """The first indexed item that is nearly the same."""
        candidates = heapq.nsmallest(MAX_CANDIDATES, self.buckets.query(item.signature))
        return next((self.items[i] for i in candidates if item.is_near(self.items[i])), None)

    def add(self, item: _Item, match: _Item | None) -> None:
        """Remember an item; index it unless the cluster of its match is large already."""
        leader = item.key if match is None else self.leaders[match.key]
        self.leaders[item.key] = leader
        self.sizes[leader] += 1
        if self.sizes[leader] <= MAX_CLUSTER:
            self.buckets.insert(len(self.items), item.signature)
        self.items.append(item)


def _matched_within(keys: Sequence[Key], index: _Index) -> list[tuple[Key, Key]]:
    """Fill the index with the keys; the pairs of (earlier match, key) on the way."""
    pairs = []
    for item in _items(keys):
        match = index.find(item)
        if match is not None:
            pairs.append((match.key, item.key))
        index.add(item, match)
    return pairs


def _items(keys: Sequence[Key]) -> list[_Item]:
    from datasketch import MinHash

    shingles = [frozenset(s for text in key for s in _shingles(text)) for key in keys]
    encoded = [[shingle.encode() for shingle in sorted(group)] for group in shingles]
    signatures = MinHash.bulk(encoded, num_perm=NUM_HASHES)
    return [_Item(*parts) for parts in zip(keys, shingles, signatures, strict=True)]


def _shingles(text: str) -> list[str]:
    """The word 3-grams of a text; the whole text when it has fewer words."""
    words = text.split()
    return [" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2))]
