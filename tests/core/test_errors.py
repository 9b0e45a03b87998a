import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core import errors
from textune.core.errors import ConfigError, TextuneError, did_you_mean


def descendants(kind):
    return {one for child in kind.__subclasses__() for one in (child, *descendants(child))}


KINDS = sorted(descendants(TextuneError), key=lambda kind: kind.__name__)


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    drawn = set(re.findall(r"- (\w+Error)", errors.__doc__))
    assert drawn == {kind.__name__ for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_the_way_between_processes(kind):
    error = pickle.loads(pickle.dumps(kind("what happened", hint="what to do")))
    assert type(error) is kind
    assert (error.message, error.hint) == ("what happened", "what to do")


def test_an_error_as_text_is_its_message_and_its_hint():
    assert str(ConfigError("what", hint="do this")) == "what\nhint: do this"


def test_an_error_without_a_hint_cannot_be_made():
    with pytest.raises(TypeError, match="hint"):
        ConfigError("what")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("lorra", "did you mean 'lora'?"),
        ("zzz", "allowed: full, lora"),
    ],
)
def test_a_hint_names_the_closest_word_or_all(word, hint):
    assert did_you_mean(word, ["lora", "full"]) == hint


def test_a_hint_says_so_when_nothing_is_allowed():
    assert did_you_mean("x", []) == "nothing is allowed here"


@given(st.text(max_size=20), st.lists(st.text(min_size=1, max_size=8), max_size=5))
def test_a_hint_is_found_for_every_word(word, allowed):
    assert did_you_mean(word, allowed)
