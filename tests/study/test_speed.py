import dataclasses
import json
import math
import sys

import pytest

from textune.core.config import plain
from textune.cost.demand import Demand
from textune.cost.rates import UNPACKED, Rates
from textune.models.fetch import cache_folder
from textune.study import speed
from textune.study.machine import cores

RATES = Rates(flops=3e11, traffic=2e10, unpacked=1e9, launch_seconds=1e-3)


@pytest.fixture(autouse=True)
def new_machine(tmp_path, monkeypatch):
    """A machine of which nothing is known, on which a measurement is quick."""
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(speed, "LIMIT_SECONDS", 0.0)
    speed.measured_rates.cache_clear()
    yield
    speed.measured_rates.cache_clear()


@pytest.fixture
def asked(monkeypatch):
    """The number formats in which rates were measured; all are the same here."""
    found = []

    def measure(precision):
        found.append(precision)
        return RATES

    monkeypatch.setattr(speed, "_measure", measure)
    return found


def answers():
    return sorted((cache_folder() / "speed").glob("*.json"))


def ask(precision="bfloat16"):
    """Ask as a process does that begins."""
    speed.measured_rates.cache_clear()
    return speed.measured_rates(precision)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_machine_measures_itself(precision):
    import torch

    threads = torch.get_num_threads()
    rates = ask(precision)
    for rate in (rates.flops, rates.traffic, rates.unpacked):
        assert math.isfinite(rate)
        assert rate > 0
    assert rates.launch_seconds >= 0
    assert torch.get_num_threads() == threads
    (answer,) = answers()
    assert json.loads(answer.read_text()) == plain(rates)


def test_it_is_measured_with_the_threads_of_a_single_worker(monkeypatch):
    import torch

    found = []
    monkeypatch.setattr(speed, "_traffic", lambda: found.append(torch.get_num_threads()) or 1.0)
    ask()
    assert found == [cores()]


def test_rates_are_remembered_by_number_format(asked):
    assert [ask(), ask("float32"), ask(), ask("float32")] == [RATES] * 4
    assert asked == ["bfloat16", "float32"]
    assert len(answers()) == 2


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", "{}", '{"flops": 1e11}']
    + [
        json.dumps({**plain(RATES), **change})
        for change in (
            {"flops": 0.0},
            {"traffic": -1.0},
            {"unpacked": math.inf},
            {"flops": math.nan},
            {"flops": "fast"},
            {"more": 1.0},
        )
    ],
)
def test_a_damaged_answer_is_measured_anew(asked, damage):
    ask()
    (answer,) = answers()
    answer.write_text(damage)
    assert ask() == RATES
    assert len(asked) == 2
    assert ask() == RATES
    assert len(asked) == 2


@pytest.mark.parametrize("change", ["hardware", "cores", "versions", "revision"])
def test_another_machine_is_measured_anew(asked, change, monkeypatch):
    ask()
    if change == "hardware":
        monkeypatch.setattr(speed, "hardware", lambda: "8 cores of another processor")
    elif change == "cores":
        monkeypatch.setattr(speed, "cores", lambda: 1000)
    elif change == "versions":
        monkeypatch.setattr(speed, "versions", lambda: {"torch": "of tomorrow"})
    else:
        monkeypatch.setattr(speed, "REVISION", speed.REVISION + 1)
    ask()
    assert len(asked) == len(answers()) == 2


def test_a_process_that_cannot_write_the_cache_measures_once(asked, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "file"))
    assert [speed.measured_rates("bfloat16") for _ in range(2)] == [RATES, RATES]
    assert asked == ["bfloat16"]


def test_without_bitsandbytes_the_rate_of_unpacking_is_assumed(monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert ask().unpacked == UNPACKED * cores()


@pytest.mark.parametrize(("flops", "launch_seconds"), [(2e11, 2e-3), (3e13, 0.0)])
def test_rates_of_steps_are_those_that_explain_both(monkeypatch, flops, launch_seconds):
    true = Rates(flops=flops, traffic=1e10, unpacked=1.0, launch_seconds=launch_seconds)
    demands = {
        size: Demand(
            total_params=1,
            trainable_params=1,
            weight_bytes=1.0,
            fit_flops=1e11 * size,
            fit_traffic=1e8 * size,
            launches=18.0,
        )
        for size in speed.BATCHES
    }
    steps = {size: (demand, true.fit_seconds(demand)) for size, demand in demands.items()}
    monkeypatch.setattr(speed, "_step", lambda model, weightless, size: steps[size])
    found = speed._steps("bfloat16", true.traffic)
    assert found == pytest.approx((flops, launch_seconds), rel=1e-6, abs=1e-9)


def test_a_small_step_that_took_no_less_gives_no_wild_rate(monkeypatch):
    demand = Demand(total_params=1, trainable_params=1, weight_bytes=1.0, fit_flops=1e11)
    large = dataclasses.replace(demand, fit_flops=4e11, launches=18.0)
    small = dataclasses.replace(demand, launches=18.0)
    monkeypatch.setattr(
        speed, "_step", lambda model, weightless, size: (small if size == 4 else large, 1.0)
    )
    flops, launch_seconds = speed._steps("bfloat16", 1e10)
    assert flops == pytest.approx(3e11 / speed.SHARE)
    assert 0 <= launch_seconds < 1 / 18
