import pytest

from textune.cost.latency import percentiles


def test_percentiles_lie_linearly_between_neighbours():
    assert percentiles([0.0, 1.0, 2.0, 3.0, 4.0]) == pytest.approx((2.0, 3.8))


def test_one_value_is_both_percentiles_and_no_value_is_none():
    assert percentiles([0.5]) == (0.5, 0.5)
    assert percentiles([]) == (None, None)
