import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.data.entities import entity
from textune.data.entity_lines import lines_grammar, read_lines, write_lines

WORDS = {"method": "Method", "task": "Task"}
TEXT = "We use an SVM (support vector machine) for\nparsing; the SVM wins at parsing."


def found(text, *spans):
    return [entity(text, start, start + len(s), type) for start, s, type in spans]


def test_entities_are_written_in_order_of_the_text_a_line_each():
    entities = found(TEXT, (43, "parsing", "task"), (10, "SVM", "method"))
    assert write_lines(entities, WORDS) == "Method: SVM\nTask: parsing"
    assert write_lines([], WORDS) == "none"


def test_a_surface_with_a_line_break_stays_on_its_line_and_is_found_again():
    entities = found(TEXT, (39, "for\nparsing", "task"))
    written = write_lines(entities, WORDS)
    assert written == "Task: for parsing"
    assert read_lines(written, TEXT, WORDS) == entities


def test_repeats_go_to_their_places_in_order():
    written = "Method: SVM\nTask: parsing\nMethod: SVM\nTask: parsing"
    expected = [(10, "method"), (43, "task"), (56, "method"), (68, "task")]
    assert [(e.start, e.type) for e in read_lines(written, TEXT, WORDS)] == expected


def test_what_is_written_more_often_than_it_occurs_names_nothing_more():
    written = "\n".join(["Method: SVM"] * 5)
    assert len(read_lines(written, TEXT, WORDS)) == 2


def test_a_surface_out_of_order_goes_to_its_first_free_place():
    found = read_lines("Task: parsing\nMethod: We", TEXT, WORDS)
    assert [(e.start, e.surface) for e in found] == [(43, "parsing"), (0, "We")]


def test_whole_words_come_before_parts_of_words():
    text = "parsing or pars, or par"
    assert [e.start for e in read_lines("Task: pars", text, WORDS)] == [11]
    assert [e.start for e in read_lines("Task: pars\nTask: pars", text, WORDS)] == [11]
    assert [e.start for e in read_lines("Task: pa", text, WORDS)] == [0], "there is no such word"


@pytest.mark.parametrize(
    "written", ["", "   ", "I see no entities.", "Metric: SVM", "SVM", "Method:", "Task parsing"]
)
def test_what_has_no_readable_line_is_no_answer(written):
    assert read_lines(written, TEXT, WORDS) is None


def test_lines_of_another_form_and_unknown_words_name_nothing():
    written = "Here they are:\nMethod: SVM\nTask: flying\nTask: "
    assert [e.surface for e in read_lines(written, TEXT, WORDS)] == ["SVM"]
    assert read_lines("none", TEXT, WORDS) == []
    assert read_lines(" none \n", TEXT, WORDS) == []


TEXTS = st.text(alphabet=string.ascii_lowercase[:3] + " -.\n(", min_size=1, max_size=40)


@given(text=TEXTS, data=st.data())
def test_any_entities_with_surfaces_that_occur_once_are_read_as_written(text, data):
    places = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 12))
    spans = data.draw(st.lists(places, max_size=5))
    entities = set()
    for place, size in spans:
        surface = text[place : place + size]
        flat, whole = surface.replace("\n", " "), text.replace("\n", " ")
        once = sum(whole.startswith(flat, i) for i in range(len(whole))) == 1
        if surface.strip() == surface and once:
            entities.add(entity(text, place, place + len(surface), "task"))
    assert read_lines(write_lines(entities, WORDS), text, WORDS) == sorted(entities)


@given(text=TEXTS, written=st.text(max_size=60))
def test_reading_never_fails_and_names_stretches_of_the_text(text, written):
    for each in read_lines(written, text, WORDS) or []:
        assert text[each.start : each.end] == each.surface


def test_the_grammar_holds_the_texts_words_and_signs_apart():
    grammar = lines_grammar('a "b" f-score', WORDS)
    chunks = json.loads(grammar.split('"substring_chunks": ')[1].split("}")[0])
    assert chunks == ["a", " ", '"', "b", '"', " ", "f", "-", "score"]
