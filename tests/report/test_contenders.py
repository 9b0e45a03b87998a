from dataclasses import replace

import pytest

from textune.core.errors import StoreError
from textune.cost.energy import Energy
from textune.data.predictions import Predictions
from textune.report.contenders import load_contenders
from textune.report.costs import mean_cost
from textune.results.record import Cost, ScoredExamples
from textune.results.store import Store


def test_pooled_answers_cover_every_tested_example_once_a_seed(make_run):
    root = make_run({"a": {"accuracy": 0.9}}, folds=4, seeds=(0, 1), num_examples=90)
    loaded = load_contenders(root)
    (contender,) = loaded.contenders
    assert [len(answers) for answers in contender.answers] == [90, 90]
    gold = loaded.tested.answers
    right = sum(a == g for a, g in zip(contender.answers[0], gold, strict=True))
    assert 70 < right < 90


def test_a_contender_is_an_approach_at_a_size(make_run):
    loaded = load_contenders(make_run({"a": {"accuracy": 0.8}}, sizes=(100, 1000)))
    assert [c.label for c in loaded.contenders] == ["a (n=100)", "a (n=1,000)"]


def test_failed_and_missing_cells_keep_a_contender_out_with_the_reason(make_run):
    root = make_run(
        {
            "whole": {"accuracy": 0.8},
            "broken": {"accuracy": 0.8, "failed": [(1, 0), (2, 0)]},
            "open": {"accuracy": 0.8, "missing": [(0, 0)]},
        },
        folds=3,
    )
    loaded = load_contenders(root)
    assert [c.label for c in loaded.contenders] == ["whole"]
    broken, unfinished = loaded.incomplete
    assert broken.reason == "2 failed (out of memory: needed 9 GiB)"
    assert (broken.num_done, broken.num_planned) == (1, 3)
    assert unfinished.reason == "1 not run yet"
    assert len(loaded.failures) == 2


def test_confidence_is_the_score_of_the_answer_given(make_run):
    root = make_run(
        {"a": {"accuracy": 0.9, "invalid": 0.2}, "b": {"accuracy": 0.9, "has_scores": False}}
    )
    with_scores, without = load_contenders(root).contenders
    for said in with_scores.said[0]:
        assert (said.confidence is None) == (said.answer is None)
        assert said.confidence is None or 0.6 <= said.confidence <= 0.95
    assert all(said.confidence is None for said in without.said[0])


def test_a_folder_that_is_no_run_is_an_error_with_a_hint(tmp_path):
    with pytest.raises(StoreError, match="is no run folder"):
        load_contenders(tmp_path)


def test_a_mean_cost_keeps_what_is_unknown_unknown():
    one = Cost(fit_seconds=1, predict_seconds=2, cpu_seconds=3, peak_bytes=10)
    two = Cost(fit_seconds=3, predict_seconds=4, cpu_seconds=5, peak_bytes=30, price=0.5)
    mean = mean_cost([one, two])
    assert (mean.fit_seconds, mean.peak_bytes, mean.price) == (2, 30, 0.5)
    assert mean.energy is None
    assert mean.fit_flops is None


def test_a_mean_energy_is_as_certain_as_its_least_certain_part():
    costs = [
        Cost(
            fit_seconds=1,
            predict_seconds=1,
            cpu_seconds=1,
            energy=Energy(joules=joules, provenance=provenance),
        )
        for joules, provenance in [(10, "counter"), (30, "estimate")]
    ]
    assert mean_cost(costs).energy == Energy(joules=20, provenance="estimate")


def test_folds_of_unequal_length_belong_to_one_contender(make_run):
    root = make_run({"a": {"accuracy": 0.8}}, folds=3, sizes=(50, 100), is_uneven=True)
    loaded = load_contenders(root)
    assert [(c.label, len(c.records)) for c in loaded.contenders] == [
        ("a (n=50)", 3),
        ("a (n=100)", 3),
    ]


def _rewrite(root, change):
    """Change the stored predictions of the first cell."""
    store = Store(root)
    record = store.records()[0]
    old = store.predictions(record.fingerprint)
    rows = change(list(zip(old.ids, old.gold, old.predictions.answers, strict=True)))
    ids, gold, answers = (list(column) for column in zip(*rows, strict=True))
    store.save(record, ScoredExamples(ids, gold, Predictions(answers)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: rows[2:], "2 of 30 examples were not tested"),
        (lambda rows: [*rows, rows[0]], "example e00000 was tested twice with seed 0"),
        (
            lambda rows: [*rows, ("new", "method", "method")],
            "tested on 1 examples that the run does not list",
        ),
    ],
)
def test_other_examples_than_the_run_lists_cannot_be_compared(make_run, change, reason):
    root = make_run({"a": {"accuracy": 0.8}}, num_examples=30)
    _rewrite(root, change)
    loaded = load_contenders(root)
    assert loaded.contenders == ()
    assert loaded.incomplete[0].reason == reason


def test_a_cell_without_measured_cost_cannot_be_compared(make_run):
    root = make_run({"a": {"accuracy": 0.8}}, num_examples=30)
    store = Store(root)
    (record,) = store.records()
    store.save(replace(record, cost=None), store.predictions(record.fingerprint))
    assert load_contenders(root).incomplete[0].reason == "1 without measured cost"
