import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from textune.data.label_sets import write_labels
from textune.data.predictions import Predictions
from textune.evaluation.metrics.label_sets import LabelSets

LABELS = ("a", "b", "c")
METRICS = LabelSets(labels=LABELS)
SETS = st.sets(st.sampled_from(LABELS))


def flags(sets):
    return np.array([[label in (named or ()) for label in LABELS] for named in sets], dtype=int)


@given(st.lists(st.tuples(SETS, st.none() | SETS), min_size=1, max_size=25))
def test_values_equal_those_of_scikit_learn_and_an_invalid_answer_names_nothing(pairs):
    gold, said = zip(*pairs, strict=True)
    answers = [None if named is None else write_labels(named) for named in said]
    found = METRICS.score(Predictions(answers), [write_labels(named) for named in gold])
    x, y = flags(gold), flags(said)
    for average in ("micro", "macro", "weighted"):
        theirs = precision_recall_fscore_support(x, y, average=average, zero_division=np.nan)
        ours = [found.get(f"{average}_{part}") for part in ("precision", "recall", "f1")]
        if average == "weighted" and not x.sum():
            assert ours[2] is None
            continue
        for mine, expected in zip(ours, theirs[:3], strict=True):
            if mine is not None and average != "macro":
                assert mine == pytest.approx(expected)
    per_label = precision_recall_fscore_support(x, y, zero_division=np.nan)
    f1 = per_label[2]
    for part, values in zip(("precision", "recall", "f1"), per_label[:3], strict=True):
        for label, value in zip(LABELS, values, strict=True):
            mine = found[f"{part}:{label}"]
            assert (mine is None) == bool(np.isnan(value))
            assert mine is None or mine == pytest.approx(value)
    macro = None if np.isnan(f1).all() else np.nanmean(f1)
    assert found["macro_f1"] == (None if macro is None else pytest.approx(macro))
    right = [a is not None and a == g for a, g in zip(said, gold, strict=True)]
    assert found["exact_match"] == pytest.approx(np.mean(right))
    assert found["invalid_rate"] == pytest.approx(np.mean([named is None for named in said]))


def test_the_worked_example_by_hand():
    gold = [write_labels(x) for x in ({"a", "b"}, {"a"}, set())]
    said = [write_labels({"a"}), write_labels({"a", "c"}), None]
    found = METRICS.score(Predictions(said), gold)
    assert found["micro_precision"] == pytest.approx(2 / 3)
    assert found["micro_recall"] == pytest.approx(2 / 3)
    assert found["macro_f1"] == pytest.approx((1 + 0 + 0) / 3)
    assert found["exact_match"] == 0
