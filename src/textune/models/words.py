"""Words of a text, and a vocabulary of them that is learnt from a training part.

A word is a run of letters and digits, or one sign that is neither of them nor a space.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zlib import crc32

from textune.core.artifacts import read_json, write_json
from textune.core.errors import StoreError

PADDING = 0
"""The number of no word."""
_WORD = re.compile(r"\w+|[^\w\s]")


def spans_of(text: str) -> list[tuple[int, int]]:
    """Characters (start, end) of each word."""
    return [match.span() for match in _WORD.finditer(text)]


def words_of(text: str) -> list[str]:
    """Its words in lower case."""
    return _WORD.findall(text.lower())


def bucket_of(word: str, num_buckets: int) -> int:
    """One of so many buckets, the same on every machine."""
    return crc32(word.encode("utf-8", "surrogatepass")) % num_buckets


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of words: 0 is padding, then the buckets of unknown words, then the known words.

    With several buckets, an unknown word keeps the same number in both texts of a pair, and most
    others get another one.
    """

    words: tuple[str, ...]
    num_buckets: int = 1
    """Unknown words are spread over so many numbers."""

    @classmethod
    def learn(
        cls, texts: Iterable[str], *, min_count: int = 2, num_buckets: int = 1
    ) -> "Vocabulary":
        """The words that occur at least ``min_count`` times, the most frequent first."""
        counts = Counter(word for text in texts for word in words_of(text))
        ordered = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(w for w in ordered if counts[w] >= min_count), num_buckets)

    def __len__(self) -> int:
        """How many numbers there are, padding included."""
        return 1 + self.num_buckets + len(self.words)

    def ids(self, words: Iterable[str]) -> tuple[int, ...]:
        """The number of each word, whatever its case."""
        return tuple(map(self._id, words))

    def encode(self, texts: Sequence[str]) -> list[tuple[int, ...]]:
        """The numbers of each text's words; a text without any is one unknown word."""
        return [self.ids(words_of(text) or [""]) for text in texts]

    def save(self, path: Path) -> None:
        """A JSON file."""
        write_json(path, {"buckets": self.num_buckets, "words": list(self.words)})

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """What ``save`` wrote.

        Raises:
            StoreError: missing or damaged; names the file.
        """
        content = read_json(path)
        match content:
            case {"buckets": int(num_buckets), "words": [*words]} if num_buckets > 0:
                if all(isinstance(word, str) for word in words):
                    return cls(tuple(words), num_buckets)
        raise StoreError(
            f"damaged bundle file {path}: no vocabulary",
            hint="fit it again, or take it from a copy",
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        first = 1 + self.num_buckets
        return {word: first + place for place, word in enumerate(self.words)}

    def _id(self, word: str) -> int:
        word = word.lower()
        known = self._places.get(word)
        return 1 + bucket_of(word, self.num_buckets) if known is None else known
