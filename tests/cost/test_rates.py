import pytest

from textune.cost.demand import Demand
from textune.cost.rates import Rates

RATES = Rates(flops=2.0, traffic=4.0, unpacked=8.0, launch_seconds=0.5)


def test_seconds_are_the_sum_of_what_each_rate_says():
    demand = Demand(
        total_params=1,
        trainable_params=1,
        weight_bytes=0,
        fit_flops=6,
        predict_flops=2,
        fit_traffic=8,
        predict_traffic=12,
        unpacked=32,
        predict_unpacked=40,
        launches=10,
    )
    assert RATES.fit_seconds(demand) == pytest.approx(3 + 2 + 4 + 5)
    assert RATES.predict_seconds(demand) == pytest.approx(1 + 3 + 5)


def test_trials_fit_and_predict_before_the_fit_that_counts():
    whole = Demand(total_params=1, trainable_params=1, weight_bytes=0, unpacked=10)
    trial = Demand(
        total_params=1, trainable_params=1, weight_bytes=0, unpacked=4, predict_unpacked=3
    )
    assert whole.after(trial, times=2).unpacked == 10 + 2 * (4 + 3)
