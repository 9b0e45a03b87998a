from dataclasses import replace

import pytest

from textune.data.examples import Example
from textune.prompts.reading import read_answer
from textune.tasks.base import load_task

CITATION = load_task("citation-sample")  # background, method, result
PAIRS = load_task("questions-sample")  # duplicate is "yes", different is "no"
EXAMPLE = Example("1", ("We use BERT.",))


def read(text, task=CITATION):
    return read_answer(text, task, EXAMPLE)


@pytest.mark.parametrize(
    "text",
    [
        "method",
        " Method.",
        "**METHOD**",
        "Answer: method",
        "answer:method",
        "The citation is used as a \u201cmethod\u201d, so: Method!",
        "method\n\nIt names a tool.",
    ],
)
def test_a_label_is_read_in_any_case_and_with_anything_around_it(text):
    assert read(text) == "method"


@pytest.mark.parametrize(
    "text", ["", "I cannot say.", "methods", "methodology", "non-method", "method or result"]
)
def test_no_label_several_labels_and_parts_of_words_are_unreadable(text):
    assert read(text) is None


def test_the_answer_word_is_read_as_its_label():
    assert read("Yes, they are.", PAIRS) == "duplicate"
    assert read("No: they are not.", PAIRS) == "different"
    assert read("duplicate", PAIRS) is None, "the model has never seen the label's name"


def test_the_longest_word_that_fits_is_the_one_that_is_named():
    task = replace(
        CITATION,
        labels={"neg": "", "pos": ""},
        answers={"neg": "not entailment", "pos": "entailment"},
    )
    assert read("It is not  Entailment", task) == "neg"
    assert read("entailment", task) == "pos"


@pytest.mark.parametrize(
    ("text", "answer"), [("2", "2"), ("2.", "2"), ("2.5", None), ("-2", None)]
)
def test_a_number_is_not_read_out_of_another(text, answer):
    task = replace(CITATION, labels={"1": "", "2": ""}, answers={})
    assert read(text, task) == answer


def test_signs_in_an_answer_word_stand_for_themselves():
    task = replace(CITATION, labels={"C++": "", "C": "", "(other)": ""}, answers={})
    assert read("(other)", task) == "(other)"
    assert read("c++.", task) == "C++"


def test_entities_are_read_by_their_kind():
    task = load_task("scierc")
    found = read_answer("Sure!\nTask: parsing", task, Example("1", ("We do parsing.",)))
    assert '"parsing"' in found
    assert read_answer("I see nothing here", task, EXAMPLE) is None
