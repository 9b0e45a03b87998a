from hypothesis import given
from hypothesis import strategies as st

from textune.data.examples import Example, Examples
from textune.data.together import joined_by_text


def pairs(*texts, groups=None):
    groups = groups or [None] * len(texts)
    rows = [
        Example(f"e{i}", t, "a", g) for i, (t, g) in enumerate(zip(texts, groups, strict=True))
    ]
    return Examples(tuple(rows), source="here")


def groups(examples):
    return [row.group for row in joined_by_text(examples)]


def test_pairs_that_share_a_question_through_others_are_one_group():
    examples = pairs(("a", "b"), ("d", "e"), ("c", "d"), ("c", "b"), ("f", "g"))
    assert groups(examples) == ["e0", "e0", "e0", "e0", "e4"]


def test_case_punctuation_and_spaces_do_not_tell_texts_apart():
    assert groups(pairs(("What is  it?", "x"), (" what IS, it ", "y"))) == ["e0", "e0"]


def test_groups_that_are_named_stay_together_too():
    examples = pairs(("a",), ("b",), ("b",), ("c",), groups=["one", None, "two", "one"])
    assert groups(examples) == ["e0", "e1", "e1", "e0"]


def test_a_group_is_not_taken_for_a_text():
    assert groups(pairs(("a",), ("b",), groups=["b", None])) == ["e0", "e1"]


def test_everything_but_groups_stays_as_it_was():
    examples = pairs(("a", "b"), ("b", "c"))
    joined = joined_by_text(examples)
    assert [(r.id, r.texts, r.answer) for r in joined] == [
        (r.id, r.texts, r.answer) for r in examples
    ]
    assert joined.source == "here"


@given(
    st.lists(st.tuples(st.sampled_from("abcdefghij"), st.sampled_from("abcdefghij")), max_size=12)
)
def test_two_groups_have_no_text_in_common_and_no_group_falls_apart(texts):
    examples = pairs(*texts)
    found = {}
    for row in joined_by_text(examples):
        found.setdefault(row.group, []).append(set(row.texts))
    unions = [set().union(*members) for members in found.values()]
    assert sum(map(len, unions)) == len(set().union(*unions)) if unions else not texts
    for members in found.values():
        reached, waiting = members[0], members[1:]
        while near := [m for m in waiting if m & reached]:
            reached = reached.union(*near)
            waiting = [m for m in waiting if m not in near]
        assert not waiting
