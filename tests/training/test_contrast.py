from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from textune.core.errors import DataError
from textune.engine.embedding import embed
from textune.models.catalog import find_model
from textune.models.load import load_encoder
from textune.testing import tiny_encoder_folder
from textune.training.contrast import Pair, contrast_loss, pairs_of

LABELS = some.lists(some.sampled_from("abc"), min_size=2, max_size=20).filter(
    lambda labels: len(set(labels)) > 1
)


@given(labels=LABELS, count=some.integers(1, 60), seed=some.integers(0, 5))
def test_pairs_are_alike_exactly_when_they_have_one_label(labels, count, seed):
    texts = [str(place) for place in range(len(labels))]
    pairs = pairs_of(texts, labels, count, seed=seed)
    assert len(pairs) == count
    for pair in pairs:
        assert pair.left != pair.right
        assert pair.alike == (labels[int(pair.left)] == labels[int(pair.right)])
    assert pairs == pairs_of(texts, labels, count, seed=seed)


def test_every_label_and_example_has_its_share():
    labels = ["a"] * 10 + ["b"] * 5 + ["c"] * 2
    pairs = pairs_of([str(i) for i in range(17)], labels, 120, seed=0)
    assert sum(pair.alike for pair in pairs) == 60
    lefts = Counter(pair.left for pair in pairs)
    assert {lefts[str(i)] for i in range(10)} == {4}
    assert {lefts[str(i)] for i in range(10, 15)} == {8}
    assert {lefts[str(i)] for i in range(15, 17)} == {20}


def test_a_label_with_one_example_has_no_pairs_that_are_alike():
    pairs = pairs_of(["0", "1", "2"], ["a", "a", "b"], 40, seed=0)
    assert {pair.alike for pair in pairs if pair.left == "2"} == {False}
    assert sum(pair.alike for pair in pairs) == 10


def test_other_seeds_give_other_pairs():
    texts, labels = [str(i) for i in range(20)], ["a", "b"] * 10
    assert pairs_of(texts, labels, 20, seed=0) != pairs_of(texts, labels, 20, seed=1)


def test_one_label_makes_no_pairs():
    with pytest.raises(DataError, match="only the label 'a'"):
        pairs_of(["x", "y"], ["a", "a"], 10, seed=0)


def test_the_loss_is_that_of_the_cosines_of_embeddings(tmp_path):
    texts = ["a cat sat", "a dog ran off", "one cat", "the end of it"]
    loaded = load_encoder(find_model(str(tiny_encoder_folder(tmp_path, texts)), form="encoder"))
    vectors = torch.from_numpy(embed(loaded, texts))
    cosine = torch.nn.functional.cosine_similarity
    first, second = (cosine(vectors[i], vectors[i + 1], dim=0) for i in (0, 2))
    batch = [Pair(texts[0], texts[1], alike=True), Pair(texts[2], texts[3], alike=False)]
    expected = ((1 - first) ** 2 + second**2) / 2
    torch.testing.assert_close(contrast_loss(loaded, batch), expected)
