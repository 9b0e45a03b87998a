import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.entities import Entity, entity, read_entities, write_entities

TEXT = "We parse Thai with the Thai parser of Sato."


def test_an_entity_has_the_characters_of_its_place():
    assert entity(TEXT, 9, 13, "Material") == Entity(9, 13, "Material", "Thai")


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 3), (5, 2), (40, 44)])
def test_offsets_outside_of_the_text_are_refused(start, end):
    with pytest.raises(DataError, match=f"from {start} to {end} in a text of 43 characters"):
        entity(TEXT, start, end, "Task")


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 3), st.sampled_from(["Task", "Métric"])),
        max_size=8,
    )
)
def test_what_is_written_is_read_back_sorted_and_once_each(places):
    entities = [entity(TEXT, start, start + length, kind) for start, length, kind in places]
    answer = write_entities(entities)
    assert list(read_entities(answer)) == sorted(set(entities))
    assert write_entities(reversed(entities)) == answer
    assert write_entities(read_entities(answer)) == answer


def test_no_entities_are_an_answer_too():
    assert write_entities([]) == "[]"
    assert read_entities("[]") == ()
    assert json.loads(write_entities([entity(TEXT, 3, 8, "Task")])) == [[3, 8, "Task", "parse"]]
