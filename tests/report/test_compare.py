from dataclasses import replace

import pytest

from textune.report.compare import ALPHA, compare
from textune.results.store import Store

TRIO = {"good": {"accuracy": 0.9}, "near": {"accuracy": 0.89}, "poor": {"accuracy": 0.5}}


@pytest.mark.parametrize("design", [{}, {"folds": 5}, {"folds": 3, "seeds": (0, 1)}])
def test_the_tied_set_holds_the_near_and_not_the_far(make_run, design):
    comparison = compare(make_run(TRIO, num_examples=400, **design))
    assert set(comparison.tied) == {"good", "near"}
    assert comparison.entries[-1].label == "poor"


def test_equal_predictions_are_tied_with_p_one(make_run):
    root = make_run({"a": {"accuracy": 0.8}, "b": {"accuracy": 0.8, "copy_of": "a"}}, folds=3)
    (pair,) = compare(root).pairs
    assert (pair.difference, pair.p_bootstrap, pair.p_mcnemar, pair.p_folds) == (0, 1, 1, 1)


def test_a_score_is_the_mean_over_cells_with_both_intervals(make_run):
    comparison = compare(make_run({"a": {"accuracy": 0.8}}, folds=5, seeds=(0, 1)))
    (entry,) = comparison.entries
    values = [r.scores["macro_f1"] for r in entry.contender.records]
    assert len(values) == 10
    assert entry.score == pytest.approx(sum(values) / 10)
    assert entry.over_cells.low < entry.score < entry.over_cells.high
    assert entry.over_examples.low < entry.score < entry.over_examples.high


def test_an_interval_over_few_cells_ends_at_one(make_run):
    comparison = compare(make_run({"a": {"accuracy": 0.97}}, folds=2, num_examples=40))
    assert comparison.entries[0].over_cells.high == 1


def test_a_single_cell_has_no_t_interval_and_a_fixed_split_no_test_over_folds(make_run):
    comparison = compare(make_run(TRIO))
    assert comparison.entries[0].over_cells.low is None
    assert all(pair.p_folds is None for pair in comparison.pairs)
    assert all(pair.p_mcnemar is not None for pair in comparison.pairs)


def test_adjusted_p_values_are_never_below_the_raw_ones(make_run):
    for pair in compare(make_run(TRIO, folds=3)).pairs:
        assert pair.p_adjusted >= pair.p_bootstrap


def test_many_comparisons_can_still_be_significant(make_run):
    poor = {f"poor {number}": {"accuracy": 0.4} for number in range(60)}
    comparison = compare(make_run({"good": {"accuracy": 0.95}, **poor}, num_examples=100))
    assert comparison.tied == ("good",)
    assert max(pair.p_adjusted for pair in comparison.pairs) < ALPHA


def test_a_smaller_comparison_is_tested_anew(make_run):
    comparison = compare(make_run(TRIO, num_examples=400))
    alone = comparison.among(["poor", "near"])
    assert alone.tied == ("near",)
    assert len(alone.pairs) == 1


def test_the_detectable_difference_shrinks_with_more_examples(make_run, tmp_path):
    few = compare(make_run(TRIO, num_examples=100)).detectable
    many = compare(make_run(TRIO, num_examples=900)).detectable
    assert 0 < many < few < 1


def test_folds_are_compared_on_means_when_seeds_differ(make_run):
    root = make_run(TRIO, folds=4, seeds=(0, 1))
    comparison = compare(root)
    both = comparison.pairs[-1].p_folds
    other = comparison.entries[-1].contender
    one_seed = replace(other, records=tuple(r for r in other.records if r.cell.seed == 0))
    entries = (*comparison.entries[:-1], replace(comparison.entries[-1], contender=one_seed))
    fewer = replace(comparison, entries=entries).pairs[-1].p_folds
    assert both < fewer < 0.05


def test_a_pair_task_is_ranked_by_the_f1_of_its_positive_label(make_run):
    root = make_run(TRIO, labels=("same", "other"), positive="same", folds=3)
    comparison = compare(root)
    assert comparison.metric == "positive_f1"
    assert comparison.entries[-1].label == "poor"
    assert comparison.entries[0].score == comparison.entries[0].metrics["positive_f1"]


def test_an_undefined_main_score_keeps_a_contender_out(make_run):
    root = make_run({"a": {"accuracy": 0.9}, "b": {"accuracy": 0.9}})
    store = Store(root)
    record = next(r for r in store.records() if r.cell.approach == "b")
    scores = {**record.scores, "macro_f1": None}
    store.save(replace(record, scores=scores), store.predictions(record.fingerprint))
    comparison = compare(root)
    assert [entry.label for entry in comparison.entries] == ["a"]
    assert comparison.incomplete[0].reason == "macro_f1 is undefined in a cell"


def test_two_approaches_without_training_examples_can_be_compared_over_folds(make_run):
    root = make_run({"a": {"accuracy": 0.9}, "b": {"accuracy": 0.6}}, folds=4, sizes=(0,))
    assert compare(root).pairs[0].p_folds is not None


def test_a_run_without_a_complete_contender_compares_nothing(make_run):
    comparison = compare(make_run({"a": {"accuracy": 0.8, "failed": [(0, 0)]}}))
    assert comparison.best is None
    assert comparison.tied == ()
    assert comparison.pairs == ()
    assert comparison.detectable is None
