import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from textune.data.predictions import Predictions
from textune.evaluation.metrics.grades import Grades

SCALE = Grades(labels=("1", "2", "3", "4", "5"))
NUMBERS = st.floats(1, 5).map(lambda x: f"{x:.2f}")
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30)


def scored(gold, answers):
    return SCALE.score(Predictions(list(answers)), list(gold))


@given(pairs=PAIRS)
def test_values_equal_those_of_scipy_and_scikit_learn(pairs):
    gold, answers = zip(*pairs, strict=True)
    x, y = np.array(gold, dtype=float), np.array(answers, dtype=float)
    found = scored(gold, answers)
    assert found["mean_error"] == pytest.approx(mean_absolute_error(x, y))
    assert found["root_mean_square_error"] == pytest.approx(
        root_mean_squared_error(x, y), abs=1e-6
    )
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert found["spearman"] == pytest.approx(scipy.stats.spearmanr(x, y).statistic)
        if found["pearson"] is not None:
            assert found["pearson"] == pytest.approx(
                scipy.stats.pearsonr(x, y).statistic, abs=1e-5
            )
    else:
        assert found["spearman"] is None
        assert found["pearson"] is None


def test_the_worked_example_by_hand():
    found = scored(["1", "2", "3"], ["1", "3", "2"])
    assert found["pearson"] == pytest.approx(0.5)
    assert found["spearman"] == pytest.approx(0.5)
    assert found["mean_error"] == pytest.approx(2 / 3)
    assert found["invalid_rate"] == 0


def test_an_invalid_answer_is_the_farther_end_of_the_scale():
    with_invalid = scored(["1", "2.5", "4", "5"], [None, None, None, "5"])
    spelt_out = scored(["1", "2.5", "4", "5"], ["5", "5", "1", "5"])
    assert with_invalid.pop("invalid_rate") == 0.75
    assert spelt_out.pop("invalid_rate") == 0
    assert with_invalid == spelt_out


def test_equal_answers_have_no_correlation():
    found = scored(["1.2", "2.4", "4.1"], ["3.33"] * 3)
    assert found["pearson"] is None
    assert found["spearman"] is None
    assert found["mean_error"] > 0


@given(pairs=PAIRS, seed=st.integers(0, 5))
def test_resampled_sums_give_the_value_of_the_resample(pairs, seed):
    gold, answers = zip(*pairs, strict=True)
    tally = SCALE.tally(gold, answers)
    chosen = np.random.default_rng(seed).integers(0, len(pairs), len(pairs))
    counts = tally.rows_UK[tally.codes_N[chosen]].sum(0)
    again = scored([gold[i] for i in chosen], [answers[i] for i in chosen])
    for name in ("mean_error", "root_mean_square_error"):
        assert float(SCALE.value(name, counts)) == pytest.approx(again[name], abs=1e-6)
