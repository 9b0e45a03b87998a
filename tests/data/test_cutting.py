import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.cutting import around, cut_to
from textune.data.examples import Example

TEXT = "aaaaaaaaaa << x >> bbbb [[ y ]] cccccccccc"
MARKS = ("<<", ">>", "[[", "]]")


def words(example):
    return sum(len(text.split()) for text in example.texts)


def test_without_marks_the_beginning_stays():
    assert around("abcdef", 3, ()) == "abc"
    assert around("abcdef", 3, MARKS) == "abc"


def test_what_stands_between_the_marks_stays_with_as_much_on_either_side():
    assert around(TEXT, 25, MARKS) == "a << x >> bbbb [[ y ]] cc"


def test_marks_near_an_end_leave_the_room_to_the_other_side():
    assert around("<< x >> bbbbbbbb", 10, MARKS) == "<< x >> bb"
    assert around("bbbbbbbb << x >>", 10, MARKS) == "bb << x >>"


def test_marks_farther_apart_than_there_is_room_keep_their_beginning():
    assert around(TEXT, 10, MARKS) == "<< x >> bb"


@given(
    before=st.text("ab ", max_size=40), after=st.text("ab ", max_size=40), room=st.integers(7, 60)
)
def test_marks_that_fit_are_never_cut_off(before, after, room):
    found = around(f"{before}<< x >>{after}", room, MARKS)
    assert "<< x >>" in found
    assert len(found) == min(room, len(before) + 7 + len(after))


def test_the_longest_text_is_cut_and_the_short_one_stays():
    example = Example("a", ("one two", "three " * 50))
    found = cut_to(example, 10, words)
    assert words(found) <= 10
    assert found.texts[0] == "one two"
    assert (found.id, found.answer) == ("a", None)


def test_what_fits_is_left_alone():
    example = Example("a", ("one two",))
    assert cut_to(example, 2, words) is example


def test_a_room_that_nothing_fits_is_an_error_that_names_the_example():
    with pytest.raises(DataError, match=r"example a: the instruction alone has more than the 3"):
        cut_to(Example("a", ("one",)), 3, lambda example: 10)
