import math

import numpy as np
import pytest

from textune.evaluation.intervals import bootstrap_interval
from textune.evaluation.metrics.label import Label
from textune.evaluation.over_seeds import resample
from textune.evaluation.significance import paired_bootstrap

LABELS = ["a", "b"]
METRICS = Label(labels=("a", "b"))
GOLD = ["a"] * 30 + ["b"] * 30


def answers(num_wrong, *, start=0):
    said = list(GOLD)
    for at in range(start, start + num_wrong):
        said[at] = "b" if GOLD[at] == "a" else "a"
    return said


def test_one_seed_gives_the_bootstrap_interval_and_the_paired_bootstrap():
    good, bad = answers(5), answers(20)
    first, second = resample("macro_f1", METRICS, GOLD, [[good], [bad]])
    paired = paired_bootstrap("macro_f1", METRICS, GOLD, good, bad)
    assert first.test_against(second) == paired
    (alone,) = resample("macro_f1", METRICS, GOLD, [[good]])
    assert alone.interval() == bootstrap_interval("macro_f1", METRICS, GOLD, good)


def test_a_metric_over_seeds_is_the_mean_of_its_seeds():
    one, two = answers(10), answers(20, start=15)
    (both,) = resample("accuracy", METRICS, GOLD, [[one, two]])
    assert both.observed == pytest.approx((50 / 60 + 40 / 60) / 2)
    (of_one, of_two) = resample("accuracy", METRICS, GOLD, [[one], [two]])
    np.testing.assert_allclose(both.values_R, (of_one.values_R + of_two.values_R) / 2)


def test_more_seeds_with_errors_elsewhere_narrow_the_interval():
    (one,) = resample("accuracy", METRICS, GOLD, [[answers(15)]])
    (three,) = resample(
        "accuracy", METRICS, GOLD, [[answers(15), answers(15, start=15), answers(15, start=30)]]
    )
    narrow, wide = three.interval(), one.interval()
    assert narrow.high - narrow.low < wide.high - wide.low


def test_an_undefined_metric_has_neither_interval_nor_p_value():
    never = ["b"] * 4
    (undefined,) = resample("f1:a", METRICS, never, [[never]])
    assert math.isnan(undefined.observed)
    assert undefined.interval().low is None
    assert undefined.test_against(undefined).p_value is None
