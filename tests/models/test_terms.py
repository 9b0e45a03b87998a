import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import jaccard_score
from sklearn.metrics.pairwise import paired_cosine_distances

from textune.models.terms import TermView, length_difference, pair_features

OPTIONS = {"analyzer": "word", "ngram_range": (1, 1), "min_df": 1, "sublinear_tf": True}
LEFT = ["how old is the moon", "who wrote emma", "some other thing", "new words"]
RIGHT = ["how far is the moon", "who wrote emma", "who", "nothing known"]


@pytest.fixture
def rows():
    view = TermView(OPTIONS)
    view.learn([*LEFT[:3], *RIGHT[:3]])
    return view.features(LEFT), view.features(RIGHT)


def test_what_two_texts_share_is_what_scikit_learn_says(rows):
    u, v = rows
    difference, both, shares = pair_features(u, v)
    np.testing.assert_allclose(difference.toarray(), abs(u.toarray() - v.toarray()))
    np.testing.assert_allclose(both.toarray(), u.toarray() * v.toarray())
    cosine, jaccard, contained = shares[:3].T
    np.testing.assert_allclose(cosine, 1 - paired_cosine_distances(u[:3], v[:3]), atol=1e-12)
    expected = [
        jaccard_score(a, b, zero_division=0)
        for a, b in zip(u[:3].toarray() > 0, v[:3].toarray() > 0, strict=True)
    ]
    np.testing.assert_allclose(jaccard, expected)
    np.testing.assert_allclose(contained, [4 / 5, 1, 0])


def test_texts_without_known_words_share_nothing(rows):
    shares = pair_features(*rows)[2]
    assert shares[3].tolist() == [0, 0, 0]


def test_the_order_of_the_texts_changes_nothing(rows):
    u, v = (csr_matrix(each) for each in rows)
    for one, other in zip(pair_features(u, v), pair_features(v, u), strict=True):
        assert abs(one - other).max() == 0


def test_lengths_are_compared_as_a_share_of_the_longer_one():
    found = length_difference([("abcd", "ab"), ("ab", "abcd"), ("abc", "xyz"), ("", "")])
    assert found.tolist() == [[0.5], [0.5], [0], [0]]
