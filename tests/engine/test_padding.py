from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from textune.engine.padding import PASS, divided


def cost(lengths, passes):
    return sum(PASS["cpu"] + len(p) * max(lengths[i] for i in p) for p in passes)


def cheapest(lengths):
    """Of all divisions of the sorted items: every choice of cuts."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    cuts = range(1, len(order))
    found = []
    for number in range(len(order)):
        for chosen in combinations(cuts, number):
            edges = [0, *chosen, len(order)]
            found.append([order[a:b] for a, b in pairwise(edges)])
    return min(cost(lengths, passes) for passes in found)


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_no_division_takes_less(lengths):
    passes = divided(lengths)
    assert sorted(place for part in passes for place in part) == list(range(len(lengths)))
    assert cost(lengths, passes) == cheapest(lengths)


def test_texts_of_one_length_are_read_at_once():
    assert divided([30] * 16) == [list(range(16))]
    assert divided([]) == []


def test_where_a_pass_is_dear_padding_is_cheaper(monkeypatch):
    lengths = [10] * 8 + [200] * 8
    assert len(divided(lengths)) == 2
    monkeypatch.setattr("textune.engine.padding.device_name", lambda: "cuda")
    assert len(divided(lengths)) == 1
