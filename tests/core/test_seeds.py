from hypothesis import given
from hypothesis import strategies as st

from textune.core.seeds import derive, generator


def test_derived_seeds_are_the_same_on_every_machine():
    assert derive(0) == 3456079177858693020
    assert derive(0, "folds") == 4557695331661827390
    assert derive(7, "sample", "method", 3) == 4187977397012513263


def test_draws_are_the_same_on_every_machine():
    assert generator(0, "demonstrations").permutation(8).tolist() == [2, 1, 7, 6, 3, 0, 4, 5]


@given(st.integers(), st.lists(st.text(max_size=5) | st.integers(), max_size=3))
def test_a_derived_seed_has_63_bits(seed, purpose):
    assert 0 <= derive(seed, *purpose) < 2**63


def test_purposes_and_seeds_are_independent():
    found = {derive(seed, purpose) for seed in range(50) for purpose in ("folds", "adapter")}
    assert len(found) == 100
