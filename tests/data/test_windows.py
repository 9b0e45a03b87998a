import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.entities import entity, read_entities, write_entities
from textune.data.examples import Example
from textune.data.windows import divide, join, num_divided

WORDS = " ".join(f"word{i}" for i in range(40))


def example(text, *spans):
    return Example("a", (text,), write_entities(entity(text, s, e, "Term") for s, e in spans))


def at_most(size):
    return lambda example: len(example.texts[0].split()) <= size


def test_a_text_that_fits_is_one_window_as_it_is():
    whole = example("one two", (0, 3))
    (window,) = divide([whole], at_most(2))
    assert window.example is whole
    assert num_divided([window]) == 0


def test_windows_overlap_by_a_quarter_and_cover_the_text():
    windows = divide([example(WORDS)], at_most(8))
    sizes = [len(w.example.texts[0].split()) for w in windows]
    assert set(sizes) <= set(range(1, 9))
    assert sizes[0] == 8
    starts = [w.start for w in windows]
    assert starts[1] == WORDS.index("word6")
    assert all(WORDS[w.start :].startswith(w.example.texts[0]) for w in windows)
    assert windows[-1].example.texts[0].endswith("word39")
    assert num_divided(windows) == 1


def test_each_character_is_spoken_for_by_one_window():
    windows = divide([example(WORDS)], at_most(8))
    bounds = [w.speaks_for for w in windows]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == len(WORDS)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(bounds))
    for window in windows:
        low, high = window.speaks_for
        assert window.start <= low < high <= window.start + len(window.example.texts[0])


def test_gold_entities_of_a_window_are_those_that_lie_in_it_whole():
    start = WORDS.index("word7")
    windows = divide([example(WORDS, (0, 5), (start, start + len("word7 word8")))], at_most(8))
    surfaces = [[e.surface for e in read_entities(w.example.answer)] for w in windows]
    assert surfaces[:3] == [["word0"], ["word7 word8"], []]


def test_what_no_window_could_answer_has_no_answer():
    rows = [example(WORDS), example("one two")]
    windows = divide(rows, at_most(8))
    answers = [None] * (len(windows) - 1) + ["[]"]
    assert join(windows, answers, rows) == [None, "[]"]


def test_a_word_that_does_not_fit_is_an_error_that_names_the_example():
    with pytest.raises(DataError, match=r"example a: not even one word"):
        divide([example("one two")], lambda each: False)


@given(
    text=st.text(alphabet="ab \n", min_size=1, max_size=120).filter(str.strip),
    size=st.integers(1, 9),
    seed=st.integers(0, 10),
)
def test_short_entities_found_in_windows_are_those_of_the_whole_text(text, size, seed):
    places = [i for i, sign in enumerate(text) if sign not in " \n" and i % (2 + seed % 3) == 0]
    whole = example(text, *[(i, i + 1) for i in places])
    windows = divide([whole], at_most(size))
    answers = [w.example.answer for w in windows]
    assert join(windows, answers, [whole]) == [whole.answer]
