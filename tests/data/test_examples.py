from dataclasses import replace

import pytest

from textune.data.examples import Example, Examples

ROWS = (
    Example("a", ("one", "two"), "x", "g"),
    Example("b", ("three", "four"), None),
    Example("c", ("five", "six"), "y"),
)


def test_taking_keeps_the_order_asked_for_and_the_source():
    taken = Examples(ROWS, source="file").take([2, 0])
    assert taken.rows == (ROWS[2], ROWS[0])
    assert taken.source == "file"
    assert taken.answers == ["y", "x"]


def test_answers_of_unlabelled_examples_are_our_own_mistake():
    with pytest.raises(AssertionError, match="without gold answer"):
        _ = Examples(ROWS).answers


def test_the_content_hash_is_the_same_on_every_machine_and_for_every_file_name():
    expected = "c8bb475fc1fe16f2"
    assert Examples(ROWS).content_hash == expected
    assert Examples(ROWS, source="elsewhere").content_hash == expected


@pytest.mark.parametrize(
    "change",
    [{"id": "z"}, {"texts": ("onetwo",)}, {"answer": "y"}, {"answer": None}, {"group": None}],
)
def test_the_content_hash_covers_every_field(change):
    changed = Examples((replace(ROWS[0], **change), *ROWS[1:]))
    assert changed.content_hash != Examples(ROWS).content_hash


def test_the_content_hash_covers_the_order():
    assert Examples(ROWS[::-1]).content_hash != Examples(ROWS).content_hash
