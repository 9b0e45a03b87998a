import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.evaluation.abstention import abstention, risk_coverage

answered = st.lists(
    st.tuples(st.integers(0, 6).map(lambda n: n / 6), st.booleans()), min_size=1, max_size=40
)


def arrays(rows):
    confidence, is_right = zip(*rows, strict=True)
    return np.array(confidence), np.array(is_right)


def test_a_worked_example():
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    is_right = np.array([True, True, False, True])
    curve = risk_coverage(confidence, is_right)
    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 0, 1 / 3, 1 / 4])
    assert curve.area() == pytest.approx((0 + 0 + 1 / 3 + 1 / 4) / 4)
    assert curve.coverage_at(0.9) == 0.5
    assert curve.coverage_at(0.75) == 1
    assert curve.share_right_at(0.6) == pytest.approx(2 / 3)


@given(answered)
def test_curve_and_area_are_what_their_definitions_say(rows):
    confidence, is_right = arrays(rows)
    curve = risk_coverage(confidence, is_right)
    thresholds = np.unique(confidence)[::-1]
    kept = [confidence >= threshold for threshold in thresholds]
    np.testing.assert_allclose(curve.coverage, [k.mean() for k in kept])
    np.testing.assert_allclose(curve.risk, [1 - is_right[k].mean() for k in kept])
    of_examples = [1 - is_right[confidence >= own].mean() for own in confidence]
    assert curve.area() == pytest.approx(np.mean(of_examples))
    enough = [k.mean() for k in kept if is_right[k].mean() >= 0.9 - 1e-9]
    assert curve.coverage_at(0.9) == pytest.approx(max(enough, default=0))


@given(answered, st.randoms())
def test_the_order_of_examples_means_nothing(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    one, other = risk_coverage(*arrays(rows)), risk_coverage(*arrays(mixed))
    np.testing.assert_allclose(one.risk, other.risk)
    assert one.area() == pytest.approx(other.area())


@given(answered)
def test_a_confidence_that_knows_nothing_has_the_share_of_errors_as_its_area(rows):
    _, is_right = arrays(rows)
    curve = risk_coverage(np.full(len(is_right), 0.7), is_right)
    assert curve.area() == pytest.approx(1 - is_right.mean())
    assert curve.coverage_at(0.95) == (1 if is_right.mean() >= 0.95 else 0)


def test_answers_without_confidence_are_left_out_first():
    confidence = np.array([0.2, -np.inf, 0.4])
    curve = risk_coverage(confidence, np.array([True, False, True]))
    np.testing.assert_allclose(curve.coverage, [1 / 3, 2 / 3, 1])
    assert curve.coverage_at(0.95) == pytest.approx(2 / 3)


def test_the_bootstrap_is_that_of_drawing_examples_one_by_one():
    draws = np.random.default_rng(0)
    confidence = np.round(draws.random(60), 1)
    is_right = draws.random(60) < confidence
    found = abstention([confidence], [is_right], [0.8], resamples=4000)
    curves = [
        risk_coverage(confidence[at], is_right[at]) for at in draws.integers(0, 60, (4000, 60))
    ]
    for interval, values in (
        (found.area, [c.area() for c in curves]),
        (found.coverage[0], [c.coverage_at(0.8) for c in curves]),
    ):
        low, high = np.quantile(values, [0.025, 0.975])
        assert interval.low == pytest.approx(low, abs=0.02)
        assert interval.high == pytest.approx(high, abs=0.02)
    assert found.area.mean == pytest.approx(risk_coverage(confidence, is_right).area())


def test_seeds_are_averaged_and_blocks_change_nothing(monkeypatch):
    draws = np.random.default_rng(1)
    confidences = [draws.random(30), draws.random(30)]
    rights = [draws.random(30) < 0.7, draws.random(30) < 0.8]
    whole = abstention(confidences, rights, [0.9], resamples=50)
    areas = [risk_coverage(*each).area() for each in zip(confidences, rights, strict=True)]
    assert whole.area.mean == pytest.approx(np.mean(areas))
    monkeypatch.setattr("textune.evaluation.abstention.BLOCK_ENTRIES", 200)
    assert abstention(confidences, rights, [0.9], resamples=50) == whole
