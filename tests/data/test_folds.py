from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.examples import Example, Examples
from textune.data.folds import Fold, fixed_fold, hold_out, sample, stratified_folds


def made(labels: str, groups: str = "") -> Examples:
    """One example a letter; a dot in ``groups`` is no group."""
    keys: list[str | None] = [None if g == "." else g for g in groups] or [None] * len(labels)
    rows = zip(labels, keys, strict=True)
    return Examples(tuple(Example(f"{n}", (f"t{n}",), a, g) for n, (a, g) in enumerate(rows)))


label_lists = st.lists(st.sampled_from("abcd"), min_size=1, max_size=80)


def test_folds_are_the_same_on_every_machine():
    assert stratified_folds(made("aabbabab"), 2, seed=0) == [
        Fold(train=(0, 1, 2, 5), test=(3, 4, 6, 7)),
        Fold(train=(3, 4, 6, 7), test=(0, 1, 2, 5)),
    ]
    assert stratified_folds(made("abababab", "xxyyzz.."), 2, seed=0) == [
        Fold(train=(2, 3, 7), test=(0, 1, 4, 5, 6)),
        Fold(train=(0, 1, 4, 5, 6), test=(2, 3, 7)),
    ]


def test_samples_and_validation_parts_are_the_same_on_every_machine():
    answers = list("aaaaaabbbc")
    assert sample(range(10), answers, 5, seed=0) == (0, 2, 3, 6, 9)
    assert hold_out(range(10), answers, 0.3, seed=0) == ((1, 2, 4, 5, 6, 7, 9), (0, 3, 8))


@given(labels=label_lists, folds=st.integers(2, 5), seed=st.integers(0, 2**40))
def test_every_example_is_tested_once_and_labels_keep_their_shares(labels, folds, seed):
    labels = labels + list("abcd") * folds
    divided = stratified_folds(made("".join(labels)), folds, seed)
    assert sorted(i for fold in divided for i in fold.test) == list(range(len(labels)))
    for fold in divided:
        assert sorted(fold.train + fold.test) == list(range(len(labels)))
        for label, count in Counter(labels).items():
            tested = sum(labels[i] == label for i in fold.test)
            assert abs(tested - count / folds) < 1


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("uvwxyz.")), max_size=60),
    st.integers(0, 2**40),
)
def test_no_group_is_in_both_parts(rows, seed):
    rows = rows + [(label, group) for label in "ab" for group in "uvwxyz"]
    examples = made("".join(r[0] for r in rows), "".join(r[1] for r in rows))
    for fold in stratified_folds(examples, 3, seed):
        seen = {examples.rows[i].group for i in fold.train} - {None}
        assert not seen & {examples.rows[i].group for i in fold.test}
        assert sorted(fold.train + fold.test) == list(range(len(examples)))
    groups = [row.group for row in examples]
    train, valid = hold_out(range(len(rows)), examples.answers, 0.4, seed, groups)
    assert not ({groups[i] for i in train} - {None}) & {groups[i] for i in valid}
    assert sorted(train + valid) == list(range(len(rows)))


def test_groups_are_split_only_when_asked_to():
    examples = made("ab" * 20, "".join(g * 4 for g in "qrstuvwxyz"))
    together = stratified_folds(examples, 5, 1)
    assert together == stratified_folds(examples, 5, 1, grouped=True)
    apart = stratified_folds(examples, 5, 1, grouped=False)
    assert apart == stratified_folds(made("ab" * 20), 5, 1)
    assert apart != together


def test_another_seed_gives_other_folds():
    examples = made("ab" * 20)
    assert stratified_folds(examples, 5, 0) != stratified_folds(examples, 5, 1)


@pytest.mark.parametrize(
    ("examples", "folds", "grouped", "message"),
    [
        (made("aaab"), 2, "auto", "the label 'b' has 1 example\\(s\\), fewer than 2 folds"),
        (made("ab"), 1, "auto", "1 fold\\(s\\) make no test part"),
        (made(""), 2, "auto", "no examples to divide"),
        (made("ababab", "xxxyyy"), 3, "auto", "2 group\\(s\\), fewer than 3 folds"),
        (made("abab"), 2, True, "no example has a group"),
        (made("aaabbb", "xxxyyy"), 2, "auto", "leave a fold with no example of '[ab]' to train"),
    ],
)
def test_folds_that_cannot_be_made_say_why(examples, folds, grouped, message):
    with pytest.raises(DataError, match=message) as caught:
        stratified_folds(examples, folds, 0, grouped=grouped)
    assert caught.value.hint


def test_a_fixed_fold_counts_through_both_parts():
    assert fixed_fold(made("aba"), made("ab")) == Fold((0, 1, 2), (3, 4))


@given(labels=label_lists, seed=st.integers(0, 2**40), data=st.data())
def test_a_larger_sample_contains_the_smaller_and_both_hold_every_label(labels, seed, data):
    counts = Counter(labels)
    sizes = st.integers(len(counts), len(labels))
    small, large = sorted((data.draw(sizes), data.draw(sizes)))
    few = sample(range(len(labels)), labels, small, seed)
    many = sample(range(len(labels)), labels, large, seed)
    assert len(few) == small
    assert set(few) <= set(many)
    assert list(many) == sorted(many)
    for label, count in counts.items():
        taken = sum(labels[i] == label for i in few)
        assert taken >= 1
        assert abs(taken - small * count / len(labels)) <= len(counts)


def test_a_sample_stays_within_its_part_and_depends_on_the_seed():
    answers = list("ab" * 50)
    part = range(10, 90)
    first, second = (sample(part, answers, 20, seed) for seed in (0, 1))
    assert set(first) <= set(part)
    assert first != second
    assert sample(part, answers, 80, 0) == tuple(part)
    assert Counter(answers[i] for i in first) == {"a": 10, "b": 10}


@pytest.mark.parametrize(
    ("size", "message"),
    [(5, "a sample of 5 examples out of a part that has 4"), (1, "cannot hold 2 labels")],
)
def test_a_sample_that_cannot_be_drawn_names_both_sizes(size, message):
    with pytest.raises(DataError, match=message) as caught:
        sample(range(4), list("abab"), size, 0)
    assert "use a size" in caught.value.hint


@given(labels=label_lists, fraction=st.floats(0.05, 0.6), seed=st.integers(0, 2**40))
def test_a_validation_part_keeps_the_shares_and_leaves_every_label(labels, fraction, seed):
    labels = labels + list("aabb")
    train, valid = hold_out(range(len(labels)), labels, fraction, seed)
    assert sorted(train + valid) == list(range(len(labels)))
    assert {labels[i] for i in train} == set(labels)
    for label, count in Counter(labels).items():
        held = sum(labels[i] == label for i in valid)
        assert abs(held - fraction * count) <= 1 or held == count - 1


def test_a_validation_part_of_plenty_has_exactly_the_fraction_asked_for():
    train, valid = hold_out(range(100), list("abcd" * 25), 0.1, 3)
    assert (len(train), len(valid)) == (90, 10)


def test_nothing_to_hold_out_is_an_error():
    with pytest.raises(DataError, match=r"cannot hold out 0.2 of 2 examples in 2 examples"):
        hold_out(range(2), list("ab"), 0.2, 0)
    with pytest.raises(DataError, match=r"cannot hold out 0.2 of 6 examples in 1 groups"):
        hold_out(range(6), list("ababab"), 0.2, 0, groups=["x"] * 6)
