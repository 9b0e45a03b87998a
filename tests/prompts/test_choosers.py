import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.examples import Example
from textune.prompts.choosers.balanced import Balanced
from textune.prompts.choosers.base import REGISTRY
from textune.prompts.choosers.bm25 import Bm25, bm25
from textune.prompts.choosers.diverse import Diverse, central
from textune.prompts.choosers.embedding import Embedding
from textune.tasks.base import DataSpec, load_task

TASK = replace(
    load_task("citation-sample"), labels={"a": "", "b": ""}, answers={}, data=DataSpec(train="x")
)
PAIRS = load_task("questions-sample")
WORDS = ["we", "use", "the", "parser", "of", "rao", "tagger", "results"]


def example(name, text, label="a"):
    return Example(name, (text,), label)


def letters(texts):
    """Unit vectors of texts by how often each letter occurs."""
    counts = np.array([[1e-3 + text.count(chr(97 + i)) for i in range(26)] for text in texts])
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def written_out(texts, query):
    """The formula of Robertson and Zaragoza with Lucene's logarithm, word by word."""
    split = [text.split() for text in texts]
    mean = sum(map(len, split)) / len(split)
    scores = []
    for words in split:
        often, total = Counter(words), 0.0
        for word in query.split():
            holding = sum(word in other for other in split)
            rarity = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            slow = 1.2 * (1 - 0.75 + 0.75 * len(words) / mean)
            total += rarity * often[word] / (often[word] + slow)
        scores.append(total)
    return scores


sentences = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)


@given(st.lists(sentences, min_size=1, max_size=6), st.lists(sentences, min_size=1, max_size=3))
def test_bm25_is_its_formula(texts, queries):
    expected = [written_out(texts, query) for query in queries]
    np.testing.assert_allclose(bm25(texts)(queries), expected, atol=1e-12)


def test_bm25_of_one_word_is_a_number_that_can_be_computed_by_hand():
    # "cat" is in 1 of 2 texts of 2 and 4 words: ln(1 + 1.5 / 1.5) = ln 2; in the first text
    # 1 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)) = 1 / 1.9.
    scores = bm25(["the cat", "the dog is here"])(["Cat!", "cat cat", "fish"])
    np.testing.assert_allclose(
        scores, [[math.log(2) / 1.9, 0], [2 * math.log(2) / 1.9, 0], [0, 0]]
    )


def test_texts_without_words_all_score_zero():
    np.testing.assert_array_equal(bm25(["", "  "])(["x", "y", "z"]), np.zeros((3, 2)))


TRAIN = [
    example("1", "the parser of rao"),
    example("2", "we use the tagger"),
    example("3", "results of the parser", "b"),
    example("4", "nothing alike", "b"),
]


def shown(chooser, train, asked, shots, task=TASK, embed=letters):
    kept = chooser.kept(train, task, shots, seed=0, embed=embed)
    found = chooser.matcher(kept, task, shots, embed=embed)(asked)
    return [[e.id for e in each] for each in found]


@pytest.mark.parametrize("chooser", [Bm25(), Embedding()])
def test_the_nearest_stands_last_and_no_example_is_its_own_demonstration(chooser):
    leaked = example("x", "  The PARSER of Rao. ", None)
    (found,) = shown(chooser, TRAIN, [leaked], 2)
    assert found[-1] == "3"
    assert "1" not in found
    (new,) = shown(chooser, TRAIN, [example("y", "parser of rao and kim", None)], 2)
    assert new == ["3", "1"]


@pytest.mark.parametrize("chooser", [Bm25(), Embedding()])
def test_a_window_of_a_training_text_is_not_shown_the_text(chooser):
    (found,) = shown(chooser, TRAIN, [example("x", "parser of", None)], 2)
    assert "1" not in found


@pytest.mark.parametrize("name", REGISTRY.names())
def test_a_planted_leak_is_never_shown_to_itself(name):
    chooser = REGISTRY.get(name)()
    train = [example(f"{i}", f"text {word}", "ab"[i % 2]) for i, word in enumerate(WORDS)]
    asked = [replace(e, id=f"test {e.id}", answer=None) for e in train]
    found = shown(chooser, train, asked, 4)
    assert all(own.id not in ids for own, ids in zip(train, found, strict=True))
    assert any(found), "nobody is shown anything"


def test_a_pair_is_the_same_with_its_texts_turned_round():
    train = [Example("1", ("why is it", "who was it"), "duplicate")]
    train += [Example(f"{i}", ("why is it", f"another {i}"), "different") for i in (2, 3)]
    turned = Example("x", ("Who was it?", "Why is it?"))
    for chooser in (Bm25(), Balanced()):
        (found,) = shown(chooser, train, [turned], 2, task=PAIRS)
        assert "1" not in found
        assert found


@pytest.mark.parametrize("chooser", [Bm25(), Embedding()])
def test_the_nearest_do_not_depend_on_who_else_asks(chooser):
    asked = [example(f"t{i}", text, None) for i, text in enumerate(["rao", "tagger we", "of"])]
    alone = [shown(chooser, TRAIN, [one], 3)[0] for one in asked]
    assert shown(chooser, TRAIN, asked, 3) == alone
    assert shown(chooser, TRAIN, asked[::-1], 3) == alone[::-1]


def test_more_shots_than_others_show_all_others():
    (found,) = shown(Bm25(), TRAIN, [example("x", "the parser of rao", None)], 9)
    assert sorted(found) == ["2", "3", "4"]


def test_diverse_demonstrations_come_one_from_each_cluster():
    train = [example(f"{w}{i}", f"{w * 5} {w * (3 + i)}") for w in "abcd" for i in range(6)]
    for seed in range(3):
        kept = Diverse().kept(train, TASK, 4, seed=seed, embed=letters)
        assert sorted(e.id[0] for e in kept) == ["a", "b", "c", "d"]
    again = Diverse().kept(train, TASK, 4, seed=2, embed=letters)
    assert again == kept


def test_of_a_cluster_the_vector_nearest_to_the_centre_is_taken():
    vectors = np.array([[0.0], [1.0], [2.2], [10.0], [11.0], [12.2]])
    assert sorted(central(vectors, 2, seed=0)) == [1, 4]


def test_diverse_demonstrations_have_different_texts():
    train = [example(f"{i}", text) for i, text in enumerate(["one", "One!", "two", "two"])]
    kept = Diverse().kept(train, TASK, 2, seed=0, embed=letters)
    assert sorted(e.id for e in kept) == ["0", "2"]
    with pytest.raises(DataError, match="3 demonstrations need as many training examples"):
        Diverse().kept(train, TASK, 3, seed=0, embed=letters)


@pytest.mark.parametrize("name", REGISTRY.names())
def test_stand_ins_are_shared_as_the_real_ones_are(name):
    chooser = REGISTRY.get(name)()
    match = chooser.like(TRAIN, 2)
    first, second, third = match([example(f"t{i}", f"x{i}", None) for i in range(3)])
    assert len(first) == len(second) == len(third) == 2
    assert (first == second == third) is not chooser.per_example
