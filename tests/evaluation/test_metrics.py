import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from textune.core.errors import ConfigError
from textune.data.predictions import Predictions
from textune.evaluation.metrics.base import higher_is_better
from textune.evaluation.metrics.label import Label, confusion

LABELS = ["background", "method", "result"]
INVALID = "(invalid)"


def of(labels=LABELS, positive=None):
    return Label(labels=tuple(labels), positive=positive)


def flat(counts):
    return np.reshape(counts, (*np.shape(counts)[:-2], -1))


def judged(labels, allow_invalid=True):
    """Lists of (gold, answer)."""
    answers = st.sampled_from([*labels, None] if allow_invalid else labels)
    return st.lists(st.tuples(st.sampled_from(labels), answers), min_size=1, max_size=40)


def by_sklearn(rows):
    """The same metrics from scikit-learn, undefined ones as NaN."""
    gold = [g for g, _ in rows]
    answers = [INVALID if a is None else a for _, a in rows]
    common = {"labels": LABELS, "zero_division": np.nan}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        per_label = sk.precision_recall_fscore_support(gold, answers, **common)[:3]
        expected = {
            "accuracy": sk.accuracy_score(gold, answers),
            "macro_f1": sk.f1_score(gold, answers, average="macro", **common),
            "weighted_f1": sk.f1_score(gold, answers, average="weighted", **common),
            "micro_f1": sk.f1_score(gold, answers, average="micro", **common),
            "mcc": sk.matthews_corrcoef(gold, answers),
            "invalid_rate": np.mean([a is None for _, a in rows]),
        }
    if len(set(gold)) == 1 or len(set(answers)) == 1:
        expected["mcc"] = np.nan  # scikit-learn says 0
    for part, values in zip(("precision", "recall", "f1"), per_label, strict=True):
        expected |= {f"{part}:{label}": v for label, v in zip(LABELS, values, strict=True)}
        expected[f"positive_{part}"] = values[1]
    return expected


@settings(deadline=None, max_examples=200)
@given(judged(LABELS))
def test_every_metric_of_counts_equals_scikit_learn(rows):
    counts = confusion([g for g, _ in rows], [a for _, a in rows], LABELS)
    expected = by_sklearn(rows)
    assert set(expected) == set(of(positive="method").names())
    for name, value in expected.items():
        ours = of(positive="method").value(name, flat(counts))
        np.testing.assert_allclose(ours, value, rtol=1e-9, atol=1e-12, err_msg=name)


@given(st.lists(judged(LABELS), min_size=1, max_size=5))
def test_many_counts_at_once_give_what_each_gives_alone(samples):
    counts = np.stack([confusion([g for g, _ in s], [a for _, a in s], LABELS) for s in samples])
    for name in of(positive="result").names():
        together = of(positive="result").value(name, flat(counts))
        alone = [of(positive="result").value(name, flat(c)) for c in counts]
        np.testing.assert_array_equal(together, alone)


@given(judged(LABELS, allow_invalid=False))
def test_micro_f1_is_accuracy_when_all_answers_are_valid(rows):
    values = of().score(predicted(rows), [g for g, _ in rows])
    assert values["micro_f1"] == pytest.approx(values["accuracy"])


@given(judged(LABELS))
def test_making_an_answer_invalid_never_lowers_a_precision_of_another_label(rows):
    gold = [g for g, _ in rows]
    answers = [a for _, a in rows]
    before = of().score(Predictions(answers), gold)
    after = of().score(Predictions([None, *answers[1:]]), gold)
    for label in LABELS:
        if answers[0] != label and before[f"precision:{label}"] is not None:
            assert after[f"precision:{label}"] == before[f"precision:{label}"]


def predicted(rows):
    return Predictions([a for _, a in rows])


def test_confusion_has_gold_in_rows_and_invalid_answers_in_the_last_column():
    gold = ["method", "method", "result", "background"]
    answers = ["method", "result", None, "background"]
    counts = confusion(gold, answers, LABELS)
    assert counts.tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]


def test_an_invalid_answer_is_a_miss_but_no_false_positive():
    values = of(["a", "b"], "a").score(Predictions(["a", None]), ["a", "b"])
    assert values["accuracy"] == 0.5
    assert values["invalid_rate"] == 0.5
    assert values["precision:a"] == 1
    assert values["precision:b"] is None
    assert values["recall:b"] == 0
    assert values["f1:b"] == 0
    assert values["macro_f1"] == 0.5
    assert values["positive_f1"] == 1


def test_a_label_without_gold_and_answers_has_no_f1_and_no_share_in_the_mean():
    values = of(["a", "b", "c"]).score(Predictions(["a", "b"]), ["a", "b"])
    assert values["f1:c"] is None
    assert values["macro_f1"] == 1


def test_a_label_that_is_answered_but_never_gold_has_f1_zero():
    values = of(["a", "b", "c"]).score(Predictions(["a", "c"]), ["a", "b"])
    assert values["f1:c"] == 0
    assert values["recall:c"] is None


def test_without_scores_there_is_no_calibration_and_auc_is_none():
    values = of(["a", "b"], "a").score(Predictions(["a"]), ["a"])
    assert values["auc"] is None
    assert not {"ece", "brier", "log_loss"} & set(values)


def test_without_a_positive_label_nothing_is_said_about_one():
    values = of(["a", "b"]).score(Predictions(["a"]), ["a"])
    assert "auc" not in values
    assert not any(name.startswith("positive") for name in values)


def test_no_examples_have_no_scores():
    values = of(["a", "b"], "a").score(Predictions([], np.empty((0, 2))), [])
    assert set(values.values()) == {None}


def test_a_metric_that_needs_scores_is_refused_with_the_names_that_exist():
    with pytest.raises(ConfigError, match="no metric 'auc' of answers"):
        of(["a", "b"]).value("auc", np.zeros(6))


def test_a_metric_of_the_positive_label_is_refused_without_one():
    with pytest.raises(ConfigError, match="positive_f1"):
        of(["a", "b"]).value("positive_f1", np.zeros(6))


def test_errors_and_losses_are_better_when_lower():
    lower = {"invalid_rate", "ece", "brier", "log_loss"}
    assert not any(higher_is_better(name) for name in lower)
    assert all(higher_is_better(name) for name in ("macro_f1", "mcc", "f1:a", "auc"))
