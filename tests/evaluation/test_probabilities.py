from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from textune.data.label_sets import write_labels
from textune.data.predictions import Predictions
from textune.evaluation.metrics.label import Label
from textune.evaluation.metrics.label_sets import LabelSets
from textune.evaluation.probabilities import (
    auc,
    calibration,
    calibration_error,
    calibration_of_sets,
    reliability,
)


def of_top(scores, gold):
    """Where the answer is the label with the highest score."""
    return calibration(scores, gold, scores.argmax(1))


@st.composite
def scored(draw):
    """Scores (N, 3) with rows summing to one, and gold columns (N,)."""
    size = draw(st.integers(1, 30))
    weights = draw(
        st.lists(
            st.lists(st.floats(0.01, 1), min_size=3, max_size=3), min_size=size, max_size=size
        )
    )
    gold = draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    scores = np.array(weights)
    return scores / scores.sum(1, keepdims=True), np.array(gold)


@settings(deadline=None)
@given(scored())
def test_brier_and_log_loss_equal_scikit_learn(case):
    scores, gold = case
    ours = of_top(scores, gold)
    assert ours["log_loss"] == pytest.approx(sk.log_loss(gold, scores, labels=[0, 1, 2]))
    brier = sk.brier_score_loss(gold, scores, labels=[0, 1, 2], scale_by_half=False)
    assert ours["brier"] == pytest.approx(brier)


@settings(deadline=None)
@given(scored())
def test_auc_equals_the_share_of_pairs_in_the_right_order(case):
    scores, gold = case
    of_positive, of_rest = scores[gold == 1, 1], scores[gold != 1, 1]
    ours = auc(scores, gold, positive=1)
    if len(of_positive) == 0 or len(of_rest) == 0:
        assert ours is None
        return
    above = (of_positive[:, None] > of_rest).mean()
    same = (of_positive[:, None] == of_rest).mean()
    assert ours == pytest.approx(above + same / 2)


@settings(deadline=None)
@given(scored())
def test_calibration_error_equals_the_sum_over_fifteen_bins(case):
    scores, gold = case
    top, is_right = scores.max(1), scores.argmax(1) == gold
    edges = np.linspace(0, 1, 16)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (top > low) & (top <= high)
        if inside.any():
            expected += inside.mean() * abs(top[inside].mean() - is_right[inside].mean())
    found = of_top(scores, gold)["ece"]
    assert found == pytest.approx(expected)
    assert 0 <= found <= 1


def test_calibration_error_of_a_worked_example():
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    is_right = np.array([True, True, True, False, False, True])
    bins = reliability(confidence, is_right, num_bins=10)
    found = [(b.low, b.high, b.num_examples, b.confidence, b.share_right) for b in bins]
    assert found[0] == pytest.approx((0.5, 0.6, 2, 0.55, 0.5))
    assert found[1] == pytest.approx((0.9, 1.0, 4, 0.95, 0.75))
    assert calibration_error(bins) == pytest.approx(2 / 6 * 0.05 + 4 / 6 * 0.20)


def test_a_confidence_on_an_edge_is_in_the_lower_bin():
    (only,) = reliability(np.array([0.5]), np.array([True]), num_bins=2)
    assert (only.low, only.high) == (0, 0.5)


@given(
    st.lists(
        st.integers(1, 20).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1
    )
)
def test_confidences_that_are_the_share_of_right_answers_have_no_error(groups):
    confidence = np.concatenate([np.full(n, right / n) for right, n in groups])
    is_right = np.concatenate([np.arange(n) < right for right, n in groups])
    assert calibration_error(reliability(confidence, is_right)) == pytest.approx(0, abs=1e-12)


def test_no_examples_have_no_calibration_error():
    assert calibration_error(reliability(np.array([]), np.array([], dtype=bool))) is None


def test_the_confidence_of_an_answer_is_its_own_score_and_what_is_no_answer_is_left_out():
    scores = np.array([[0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
    gold, answered = np.array([1, 1, 0]), np.array([1, 1, 2])
    expected = (abs(0.4 - 1) + abs(0.7 - 1)) / 2
    assert calibration(scores, gold, answered)["ece"] == pytest.approx(expected)
    none = Label(labels=("a", "b")).score(Predictions([None, None, None], scores), ["b", "b", "a"])
    assert none["ece"] is None
    assert none["brier"] is not None


@settings(deadline=None)
@given(scored())
def test_sets_of_labels_are_judged_label_by_label_as_scikit_learn_does(case):
    scores, gold = case
    truth = np.stack([gold == 0, gold > 0, gold == 2], axis=1)
    ours = calibration_of_sets(scores, truth)
    labels = range(3)
    brier = [sk.brier_score_loss(truth[:, at], scores[:, at], pos_label=True) for at in labels]
    loss = [sk.log_loss(truth[:, at], scores[:, at], labels=[False, True]) for at in labels]
    assert ours["label_brier"] == pytest.approx(np.mean(brier))
    assert ours["label_log_loss"] == pytest.approx(np.mean(loss))
    errors = [calibration_error(reliability(scores[:, at], truth[:, at])) for at in labels]
    assert ours["label_ece"] == pytest.approx(np.mean(errors))


def test_sets_of_labels_without_scores_have_no_calibration():
    metrics = LabelSets(labels=("a", "b"))
    gold = [write_labels(["a"]), write_labels(["a", "b"])]
    scores = np.array([[0.9, 0.2], [0.6, 0.5]])
    assert not any(name.startswith("label_") for name in metrics.score(Predictions(gold), gold))
    values = metrics.score(Predictions(gold, scores), gold)
    assert values["label_brier"] == pytest.approx((0.01 + 0.04 + 0.16 + 0.25) / 4)


def test_certain_and_right_scores_have_no_error():
    values = of_top(np.eye(3), np.arange(3))
    assert values == {"ece": 0, "brier": 0, "log_loss": pytest.approx(0)}


def test_certain_and_wrong_scores_have_a_finite_loss():
    values = of_top(np.eye(2), np.array([1, 0]))
    assert values["ece"] == 1
    assert values["brier"] == 2
    assert values["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_scores_that_are_not_finite_judge_nothing():
    scores = np.array([[0.5, 0.5], [np.nan, np.nan]])
    gold = np.array([0, 1])
    assert set(calibration(scores, gold, gold).values()) == {None}
    assert auc(scores, gold, positive=1) is None
