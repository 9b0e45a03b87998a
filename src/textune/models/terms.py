"""Texts as sparse vectors of their words or of characters inside words, weighted by rarity."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class TermView:
    """One way of counting: n-grams of words, or of characters inside words.

    ``options`` are those of scikit-learn's ``TfidfVectorizer``; rows have length 1.
    """

    options: dict[str, Any]
    vocabulary: dict[str, int] = field(default_factory=dict)
    rarity: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Inverse document frequency of each term."""

    def learn(self, texts: Sequence[str]) -> Any:
        """Fit vocabulary and rarities; give the features (N, F), sparse."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        try:
            features = (vectorizer := TfidfVectorizer(**self.options)).fit_transform(texts)
        except ValueError:  # nothing occurs often enough in a tiny training part
            vectorizer = TfidfVectorizer(**{**self.options, "min_df": 1})
            features = vectorizer.fit_transform(texts)
        self.vocabulary = {term: int(i) for term, i in vectorizer.vocabulary_.items()}
        self.rarity = vectorizer.idf_
        return features

    def features(self, texts: Sequence[str]) -> Any:
        """Features (N, F), sparse, with what was learnt."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(**self.options, vocabulary=self.vocabulary)
        vectorizer.idf_ = self.rarity
        return vectorizer.transform(texts)


def pair_features(u_NF: Any, v_NF: Any) -> list[Any]:
    """What two texts have in common, from their rows of one view: sparse blocks for ``hstack``.

    |u - v| and u * v of each term (N, F); three numbers (N, 3): the cosine of the rows, and the
    terms that both texts have as a share of all terms of both (Jaccard) and of the shorter
    text's terms. A share of nothing is 0.
    """
    both_NF = u_NF.multiply(v_NF).tocsr()
    shared, of_u, of_v = (np.diff(each.indptr) for each in (both_NF, u_NF.tocsr(), v_NF.tocsr()))
    cosine = np.asarray(both_NF.sum(axis=1)).ravel()
    jaccard = shared / np.maximum(of_u + of_v - shared, 1)
    contained = shared / np.maximum(np.minimum(of_u, of_v), 1)
    return [abs(u_NF - v_NF), both_NF, np.stack([cosine, jaccard, contained], axis=1)]


def length_difference(pairs: Sequence[tuple[str, ...]]) -> np.ndarray:
    """How much shorter one text is (N, 1): 0 for equal lengths, near 1 for very unlike ones."""
    lengths_N2 = np.array([[len(text) for text in pair] for pair in pairs])
    longer_N = np.maximum(lengths_N2.max(1), 1)
    difference_N1: np.ndarray = (np.ptp(lengths_N2, axis=1) / longer_N)[:, None]
    return difference_N1
