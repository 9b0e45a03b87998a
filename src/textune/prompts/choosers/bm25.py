"""The nearest training examples by shared words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from textune.data.duplicates import normalised
from textune.data.examples import Example
from textune.prompts.choosers.base import Chooser, Embed, Matcher, nearest
from textune.tasks.base import TaskSpec

K1 = 1.2
"""How soon more occurrences of a word stop to count."""
B = 0.75
"""How much long texts are held against: 0 not at all, 1 in full."""


@dataclass(frozen=True, kw_only=True)
class Bm25(Chooser):
    """For each example the training examples nearest to it by BM25 over words.

    Robertson and Zaragoza, 2009 (The Probabilistic Relevance Framework: BM25 and Beyond), section
    3.4, with k1 = 1.2 and b = 0.75. The nearest stands last, next to the input.
    """

    title: ClassVar[str] = "nearest (BM25)"
    draws: ClassVar[bool] = False
    per_example: ClassVar[bool] = True

    def matcher(
        self,
        kept: Sequence[Example],
        task: TaskSpec,
        shots: int,
        *,
        embed: Embed | None = None,
    ) -> Matcher:
        """The nearest ones; both texts of a pair count as one."""
        if not kept:
            return nearest(kept, shots, lambda examples: np.zeros((len(examples), 0)))
        read = task.kind.joined_text
        scores = bm25([read(example) for example in kept])
        return nearest(kept, shots, lambda examples: scores([read(e) for e in examples]))


def bm25(texts: Sequence[str]) -> Callable[[Sequence[str]], np.ndarray]:
    """Indexes K texts; gives the scores (N, K) of N queries.

    A text scores, summed over the words of the query (one that occurs twice counts twice),

        ln(1 + (K - n + 0.5) / (n + 0.5)) * f / (f + k1 * (1 - b + b * length / mean length))

    for a word that occurs f times in it and in n of the K texts. The logarithm is Lucene's, which
    is never negative; the formula's constant factor k1 + 1 changes no order and is left out.
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=_words)
    try:
        counts_KV = counter.fit_transform(texts).astype(np.float64).tocoo()
    except ValueError:  # no word in any text
        return lambda queries: np.zeros((len(queries), len(texts)))
    lengths_K = np.bincount(counts_KV.row, counts_KV.data, minlength=len(texts))
    found_V = np.bincount(counts_KV.col, minlength=counts_KV.shape[1])
    rarity_V = np.log1p((len(texts) - found_V + 0.5) / (found_V + 0.5))
    slow_K = K1 * (1 - B + B * lengths_K / lengths_K.mean())
    often = counts_KV.data
    weights = rarity_V[counts_KV.col] * often / (often + slow_K[counts_KV.row])
    weights_KV = csr_matrix((weights, (counts_KV.row, counts_KV.col)), shape=counts_KV.shape)

    def scores(queries: Sequence[str]) -> np.ndarray:
        asked_NV = counter.transform(queries).astype(np.float64)
        dense: np.ndarray = (asked_NV @ weights_KV.T).toarray()
        return dense

    return scores


def _words(text: str) -> list[str]:
    return normalised(text).split()
