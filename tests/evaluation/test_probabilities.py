from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from textune.evaluation.probabilities import auc, calibration


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
    ours = calibration(scores, gold)
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
def test_calibration_error_equals_the_sum_over_bins(case):
    scores, gold = case
    top, is_right = scores.max(1), scores.argmax(1) == gold
    edges = np.linspace(0, 1, 11)
    expected = 0.0
    for low, high in pairwise(edges):
        inside = (top > low) & (top <= high)
        if inside.any():
            expected += inside.mean() * abs(top[inside].mean() - is_right[inside].mean())
    assert calibration(scores, gold)["ece"] == pytest.approx(expected)


def test_certain_and_right_scores_have_no_error():
    values = calibration(np.eye(3), np.arange(3))
    assert values == {"ece": 0, "brier": 0, "log_loss": pytest.approx(0)}


def test_certain_and_wrong_scores_have_a_finite_loss():
    values = calibration(np.eye(2), np.array([1, 0]))
    assert values["ece"] == 1
    assert values["brier"] == 2
    assert values["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps))


def test_scores_that_are_not_finite_judge_nothing():
    scores = np.array([[0.5, 0.5], [np.nan, np.nan]])
    gold = np.array([0, 1])
    assert set(calibration(scores, gold).values()) == {None}
    assert auc(scores, gold, positive=1) is None
