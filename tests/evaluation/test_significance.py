import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from textune.core import seeds
from textune.evaluation import significance
from textune.evaluation.metrics.label import Label
from textune.evaluation.significance import (
    corrected_t_test,
    detectable_difference,
    holm,
    mcnemar,
    paired_bootstrap,
    tied_with_best,
)

LABELS = ["no", "yes"]
METRICS = Label(labels=("no", "yes"))


def discordant(only_a, only_b, both=0, neither=0):
    """Gold, answers of a, answers of b with the given numbers of right answers."""
    a = ["yes"] * only_a + ["no"] * only_b + ["yes"] * both + ["no"] * neither
    b = ["no"] * only_a + ["yes"] * only_b + ["yes"] * both + ["no"] * neither
    return ["yes"] * len(a), a, b


@settings(deadline=None)
@given(st.lists(st.integers(-200, 200), min_size=3, max_size=12, unique=True))
def test_without_test_examples_the_corrected_test_is_the_plain_t_test(thousandths):
    differences = [value / 1000 for value in thousandths]
    ours = corrected_t_test(differences, train_size=100, test_size=0)
    theirs = scipy.stats.ttest_1samp(differences, 0)
    assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-6, abs=1e-9)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-9)


def test_the_correction_divides_the_statistic_of_ten_folds_by_its_factor():
    differences = [0.02, 0.03, 0.01, 0.025, 0.015, 0.02, 0.03, 0.01, 0.022, 0.018]
    plain = scipy.stats.ttest_1samp(differences, 0).statistic
    ours = corrected_t_test(differences, train_size=900, test_size=100)
    assert ours.statistic == pytest.approx(plain * (0.1 / (0.1 + 1 / 9)) ** 0.5)
    assert ours.p_value == pytest.approx(2 * scipy.stats.t.sf(ours.statistic, 9))


def test_the_correction_keeps_its_level_where_the_plain_test_does_not():
    # Scores of overlapping training parts correlate by about test / (test + train).
    random = seeds.generator(0)
    shared = random.normal(size=(4000, 1)) * 0.1**0.5
    scores = shared + random.normal(size=(4000, 10)) * 0.9**0.5
    plain = scipy.stats.ttest_1samp(scores, 0, axis=1).pvalue < 0.05
    ours = [
        corrected_t_test(row.tolist(), train_size=900, test_size=100).p_value < 0.05
        for row in scores[:1000]
    ]
    assert plain.mean() > 0.1
    assert 0.03 < np.mean(ours) < 0.07


def test_differences_without_spread_prove_nothing():
    sizes = {"train_size": 90, "test_size": 10}
    assert corrected_t_test([0.0, 0.0, 0.0], **sizes).p_value == 1
    assert corrected_t_test([0.1, 0.1, 0.1], **sizes).p_value is None
    assert corrected_t_test([0.1], **sizes).p_value is None
    assert corrected_t_test([], **sizes).statistic is None


def rights(only_a, only_b, both=0, neither=0):
    """Which examples a and b answer right."""
    gold, a, b = discordant(only_a, only_b, both, neither)
    return tuple(np.array(each, dtype=str) == np.array(gold, dtype=str) for each in (a, b))


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5))
def test_few_discordant_pairs_take_the_exact_binomial_test(only_a, only_b, both):
    test = mcnemar(*rights(only_a, only_b, both))
    total = only_a + only_b
    expected = scipy.stats.binomtest(only_a, total).pvalue if total else 1.0
    assert test.p_value == pytest.approx(expected)
    assert test.statistic == min(only_a, only_b)
    assert test.name == "McNemar, exact"


def test_many_discordant_pairs_take_the_worked_example_of_the_chi_squared_test():
    # A 2 x 2 table of textbooks with discordant cells 121 and 59: (|121 - 59| - 1)^2 / 180.
    test = mcnemar(*rights(121, 59, both=101, neither=33))
    assert test.statistic == pytest.approx(61**2 / 180)
    assert test.p_value == pytest.approx(scipy.stats.chi2.sf(61**2 / 180, 1))
    assert test.name == "McNemar, continuity corrected"


def test_mcnemar_is_the_same_either_way_round():
    a, b = rights(9, 2, both=30, neither=5)
    assert mcnemar(a, b) == mcnemar(b, a)


def test_paired_bootstrap_of_accuracy_agrees_with_mcnemar():
    gold, a, b = discordant(45, 25, both=300, neither=50)
    ours = paired_bootstrap("accuracy", METRICS, gold, a, b, resamples=8000)
    z = 20 / (70 - 20**2 / 420) ** 0.5
    assert ours.statistic == pytest.approx(20 / 420)
    assert ours.p_value == pytest.approx(2 * scipy.stats.norm.sf(z), abs=0.01)


def test_paired_bootstrap_keeps_its_level_when_nothing_differs():
    random = seeds.generator(5)
    rejected = 0
    for trial in range(200):
        gold = random.choice(LABELS, 100)
        a, b = (np.where(random.random(100) < 0.8, gold, "no").tolist() for _ in range(2))
        test = paired_bootstrap(
            "macro_f1", METRICS, gold.tolist(), a, b, resamples=200, seed=trial
        )
        rejected += test.p_value < 0.05
    assert 2 <= rejected <= 20


def test_paired_bootstrap_never_says_zero_and_says_one_for_equals():
    gold, a, b = discordant(60, 0, both=40)
    assert paired_bootstrap("macro_f1", METRICS, gold, a, b, resamples=500).p_value == 1 / 501
    assert paired_bootstrap("macro_f1", METRICS, gold, a, a, resamples=500).p_value == 1


def test_paired_bootstrap_is_symmetric_in_its_approaches():
    gold, a, b = discordant(20, 12, both=60, neither=8)
    forth = paired_bootstrap("accuracy", METRICS, gold, a, b)
    back = paired_bootstrap("accuracy", METRICS, gold, b, a)
    assert forth.statistic == -back.statistic
    assert forth.p_value == pytest.approx(back.p_value, abs=0.02)


def test_paired_bootstrap_of_an_undefined_metric_is_undefined():
    assert paired_bootstrap("recall:no", METRICS, ["yes"], ["yes"], ["yes"]).p_value is None
    assert paired_bootstrap("accuracy", METRICS, [], [], []).p_value is None


def test_bootstrap_test_counts_resamples_as_far_from_the_difference_as_zero_is():
    resampled = np.array([0.3, 0.21, 0.2, 0.1, 0.05, -0.01, 0.0, np.nan])
    assert significance.bootstrap_test(0.1, resampled).p_value == (1 + 5) / (7 + 1)


def test_holm_multiplies_the_smallest_by_all_and_never_falls():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_passes_over_unknown_p_values():
    assert holm([0.02, None, 0.03]) == [pytest.approx(0.04), None, pytest.approx(0.04)]
    assert holm([None]) == [None]
    assert holm([]) == []


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_plain_and_the_bonferroni_values(p_values):
    for plain, adjusted in zip(p_values, holm(p_values), strict=True):
        assert plain - 1e-12 <= adjusted <= min(1, plain * len(p_values)) + 1e-12


def test_the_tied_set_is_the_best_and_what_is_not_significantly_worse():
    means = {"tfidf": 0.70, "lora": 0.84, "full": 0.85, "prompted": 0.6, "broken": None}
    p_values = {"tfidf": 0.001, "lora": 0.4, "prompted": None}
    assert tied_with_best(means, p_values) == ["full", "lora", "prompted"]


def test_the_tied_set_follows_the_direction_of_the_metric():
    means = {"a": 0.2, "b": 0.1}
    assert tied_with_best(means, {"a": 0.01}, is_higher_better=False) == ["b"]
    assert tied_with_best({}, {}) == []


@pytest.mark.parametrize(("num_test", "psi"), [(300, 0.2), (1000, 0.1), (1000, 0.3), (60, 0.05)])
def test_mcnemar_finds_the_detectable_difference_with_the_power_promised(num_test, psi):
    delta = detectable_difference(num_test, accuracy=0.8, discordance=psi)
    psi = max(psi, delta)
    shares = [(psi + delta) / 2, (psi - delta) / 2, 1 - psi]
    draws = seeds.generator(11, num_test).multinomial(num_test, shares, size=400)
    found = [mcnemar(*rights(a, b, both=rest)).p_value < 0.05 for a, b, rest in draws.tolist()]
    assert 0.72 < np.mean(found) < 0.9


@pytest.mark.parametrize("num_test", [200, 2000])
def test_the_detectable_difference_solves_the_published_sample_size(num_test):
    psi = 0.25
    delta = detectable_difference(num_test, accuracy=0.8, discordance=psi) - 1 / num_test
    needed = (1.959964 * psi**0.5 + 0.841621 * (psi - delta**2) ** 0.5) ** 2 / delta**2
    assert needed == pytest.approx(num_test, rel=1e-4)


def test_the_detectable_difference_shrinks_with_examples_and_with_agreement():
    sizes = [detectable_difference(n, accuracy=0.8) for n in (50, 500, 5000)]
    assert sizes == sorted(sizes, reverse=True)
    agreeing = detectable_difference(500, accuracy=0.8, discordance=0.1)
    assert agreeing < detectable_difference(500, accuracy=0.8)


def test_very_few_examples_show_nothing():
    assert detectable_difference(1, accuracy=0.5) == 1
    assert detectable_difference(4, accuracy=0.5) == 1


def test_pytest_does_not_take_the_outcome_of_a_test_for_a_suite():
    assert significance.Test.__test__ is False
