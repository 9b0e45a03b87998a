from dataclasses import replace

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from textune.core import seeds
from textune.evaluation.intervals import Interval, bootstrap_interval, t_interval
from textune.evaluation.metrics.label import Label
from textune.evaluation.resampling import resampled_values

LABELS = ["no", "yes"]
METRICS = Label(labels=("no", "yes"))


def answers_of(num, accuracy, seed=0, invalid=0.0):
    random = seeds.generator(seed, "answers")
    gold = random.choice(LABELS, num).tolist()
    flip = {"no": "yes", "yes": "no"}
    answers = [g if random.random() < accuracy else flip[g] for g in gold]
    return gold, [None if random.random() < invalid else a for a in answers]


@settings(deadline=None)
@given(st.lists(st.integers(0, 999), min_size=2, max_size=9, unique=True), st.floats(0.5, 0.99))
def test_t_interval_equals_scipy(thousandths, level):
    values = [value / 1000 for value in thousandths]
    ours = t_interval(values, level)
    scale = scipy.stats.sem(values)
    low, high = scipy.stats.t.interval(level, len(values) - 1, np.mean(values), scale)
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)


def test_t_interval_of_ten_folds_uses_the_tabulated_quantile():
    values = [0.80, 0.82, 0.84, 0.86, 0.88, 0.80, 0.82, 0.84, 0.86, 0.88]
    interval = t_interval(values)
    assert interval.mean == pytest.approx(0.84)
    assert interval.high - 0.84 == pytest.approx(
        2.262 * np.std(values, ddof=1) / 10**0.5, rel=1e-3
    )


def test_one_value_has_a_mean_but_no_bounds_and_none_has_nothing():
    assert t_interval([0.5]) == Interval(0.5, None, None)
    assert t_interval([]) == Interval(None, None, None)


def test_bootstrap_of_accuracy_agrees_with_scipy_and_with_theory():
    gold, answers = answers_of(400, 0.8)
    ours = bootstrap_interval("accuracy", METRICS, gold, answers)
    is_right = np.array([g == a for g, a in zip(gold, answers, strict=True)], dtype=float)
    theirs = scipy.stats.bootstrap(
        (is_right,), np.mean, n_resamples=4000, method="percentile", rng=seeds.generator(1)
    ).confidence_interval
    assert ours.mean == pytest.approx(is_right.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.006)
    half = 1.96 * (ours.mean * (1 - ours.mean) / 400) ** 0.5
    assert ours.high - ours.low == pytest.approx(2 * half, rel=0.1)


@pytest.mark.parametrize("name", ["macro_f1", "positive_f1", "mcc"])
def test_bootstrap_by_counts_agrees_with_resampling_the_examples_themselves(name):
    gold, answers = answers_of(120, 0.75, invalid=0.1)
    metrics = replace(METRICS, positive="yes")
    ours = bootstrap_interval(name, metrics, gold, answers, resamples=4000)
    random = seeds.generator(7)
    values = []
    for _ in range(2000):
        rows = random.integers(len(gold), size=len(gold))
        tally = metrics.tally([gold[i] for i in rows], [answers[i] for i in rows])
        values.append(metrics.value(name, tally.total()))
    assert (ours.low, ours.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=0.015)


def test_bootstrap_is_the_same_for_the_same_seed_only():
    gold, answers = answers_of(50, 0.7)
    first = bootstrap_interval("macro_f1", METRICS, gold, answers, seed=3)
    assert first == bootstrap_interval("macro_f1", METRICS, gold, answers, seed=3)
    assert first != bootstrap_interval("macro_f1", METRICS, gold, answers, seed=4)


def test_bootstrap_does_not_depend_on_how_many_resamples_are_held_at_once(monkeypatch):
    gold, answers = answers_of(50, 0.7)
    whole = resampled_values("macro_f1", METRICS, [METRICS.tally(gold, answers)], resamples=101)
    monkeypatch.setattr("textune.evaluation.resampling.BLOCK_ENTRIES", 60)
    np.testing.assert_array_equal(
        resampled_values("macro_f1", METRICS, [METRICS.tally(gold, answers)], resamples=101), whole
    )


def test_all_approaches_see_the_same_resamples():
    gold, answers = answers_of(60, 0.7)
    same = resampled_values("accuracy", METRICS, [METRICS.tally(gold, answers)] * 2, resamples=50)
    np.testing.assert_array_equal(same[0], same[1])


def test_bootstrap_leaves_out_resamples_where_the_metric_is_undefined():
    gold = ["yes", "no", "no", "no"]
    interval = bootstrap_interval("recall:yes", METRICS, gold, gold)
    assert interval == Interval(1.0, 1.0, 1.0)


def test_bootstrap_of_an_undefined_metric_is_undefined():
    assert bootstrap_interval("recall:yes", METRICS, ["no"], ["no"]) == Interval(None, None, None)
    assert bootstrap_interval("accuracy", METRICS, [], []) == Interval(None, None, None)
