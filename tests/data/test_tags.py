from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from textune.core.errors import DataError
from textune.data.entities import entity
from textune.data.tags import may_follow, scheme, spans_of, tags_of

TYPES = ["Name", "Year"]


def test_a_scheme_has_a_beginning_and_an_inside_for_each_type():
    assert scheme(TYPES) == ["O", "B-Name", "I-Name", "B-Year", "I-Year"]


@pytest.mark.parametrize("tag", ["O", "B-Name", "B-Year"])
def test_what_is_no_inside_may_follow_everything(tag):
    assert all(may_follow(before, tag) for before in scheme(TYPES))


def test_an_inside_follows_its_own_type_only():
    before = [tag for tag in scheme(TYPES) if may_follow(tag, "I-Name")]
    assert before == ["B-Name", "I-Name"]


def test_sequences_that_are_allowed_are_those_that_their_entities_are_written_as():
    """Each way of tagging four words: allowed, or read as what another way is written as."""
    words, text = [(i, i + 1) for i in range(4)], "abcd"
    for tags in product(scheme(TYPES), repeat=4):
        found = [entity(text, start, end, type) for start, end, type in spans_of(tags)]
        allowed = all(may_follow(*pair) for pair in pairwise(["O", *tags]))
        assert allowed == (tags_of(words, found) == list(tags))


@given(some.lists(some.tuples(some.integers(0, 9), some.integers(1, 4), some.sampled_from(TYPES))))
def test_gold_tags_are_always_allowed(spans):
    text = "a b c d e f g"
    words = [(i, i + 1) for i in range(0, len(text), 2)]
    entities = [entity(text, s, s + n, type) for s, n, type in spans]
    assert all(may_follow(*pair) for pair in pairwise(["O", *tags_of(words, entities)]))


def test_unknown_tags_are_refused():
    with pytest.raises(DataError, match="unknown tag 'Name'"):
        may_follow("O", "Name")
