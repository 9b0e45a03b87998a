import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator

from textune.data.entities import entity, write_entities
from textune.data.predictions import Predictions
from textune.evaluation.intervals import bootstrap_interval
from textune.evaluation.metrics.entities import Entities

TYPES = ("Task", "Method", "Metric")
METRICS = Entities(labels=TYPES)
TEXT = "abcabcabcabcabcabcab"


def spans(max_size=4):
    """Entities of ``TEXT`` that do not overlap, so that any tagging scheme could write them."""

    def laid_out(steps):
        found, at = [], 0
        for gap, length, kind in steps:
            start = at + gap
            at = start + length
            if at <= len(TEXT):
                found.append(entity(TEXT, start, at, kind))
        return found

    step = st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from(TYPES))
    return st.lists(step, max_size=max_size).map(laid_out)


def judged(invalid=True):
    answers = st.one_of(spans(), st.none()) if invalid else spans()
    return st.lists(st.tuples(spans(), answers), min_size=1, max_size=8)


def values_of(rows):
    gold = [write_entities(g) for g, _ in rows]
    answers = [None if a is None else write_entities(a) for _, a in rows]
    return METRICS.score(Predictions(answers), gold)


def prf(right, found, gold):
    """Precision, recall and F1; None where undefined."""
    precision = right / found if found else None
    recall = right / gold if gold else None
    return precision, recall, 2 * right / (found + gold) if found + gold else None


def assert_same(values, prefix, expected):
    for part, value in zip(("precision", "recall", "f1"), expected, strict=True):
        if value is None:
            assert values[f"{prefix}{part}"] is None
        else:
            assert values[f"{prefix}{part}"] == pytest.approx(value)


@settings(max_examples=200)
@given(judged())
def test_strict_scores_equal_those_of_a_plain_count(rows):
    values = values_of(rows)
    for kind in (None, *TYPES):
        gold = [{(i, e.start, e.end, e.type) for e in g} for i, (g, _) in enumerate(rows)]
        found = [{(i, e.start, e.end, e.type) for e in a or ()} for i, (_, a) in enumerate(rows)]
        every_gold = {e for each in gold for e in each if kind in (None, e[3])}
        every_found = {e for each in found for e in each if kind in (None, e[3])}
        expected = prf(len(every_gold & every_found), len(every_found), len(every_gold))
        if kind is None:
            assert_same(values, "micro_", expected)
        else:
            by_part = dict(zip(("precision", "recall", "f1"), expected, strict=True))
            for part, value in by_part.items():
                assert values[f"{part}:{kind}"] == (
                    None if value is None else pytest.approx(value)
                )


@settings(max_examples=200)
@given(judged())
def test_pair_scores_count_every_found_pair_that_is_among_the_gold_ones(rows):
    right = found = gold = 0
    for true, answer in rows:
        pairs = [(e.surface, e.type) for e in true]
        said = [(e.surface, e.type) for e in answer or ()]
        right += sum(pair in pairs for pair in said)
        found, gold = found + len(said), gold + len(pairs)
    assert_same(values_of(rows), "pair_", prf(right, found, gold))


@settings(max_examples=100)
@given(judged(invalid=False))
def test_partial_type_and_strict_scores_equal_nervaluate(rows):
    def dicts(side):
        return [
            [{"label": e.type, "start": e.start, "end": e.end - 1} for e in row[side]]
            for row in rows
        ]

    found = Evaluator(dicts(0), dicts(1), tags=list(TYPES), loader="dict").evaluate()["overall"]
    values = values_of(rows)
    for ours, theirs in (("partial", "partial"), ("type", "ent_type"), ("micro", "strict")):
        value = values[f"{ours}_f1"]
        assert (0.0 if value is None else value) == pytest.approx(found[theirs].f1)


@given(judged())
def test_many_counts_at_once_give_what_each_gives_alone(rows):
    tally = METRICS.tally(
        [write_entities(g) for g, _ in rows],
        [None if a is None else write_entities(a) for _, a in rows],
    )
    counts = np.stack([tally.total(), tally.rows_UK[0]])
    for name in METRICS.names():
        alone = [METRICS.value(name, each) for each in counts]
        np.testing.assert_array_equal(METRICS.value(name, counts), alone)


def test_an_unreadable_answer_finds_nothing():
    gold = write_entities([entity(TEXT, 0, 3, "Task")])
    values = METRICS.score(Predictions([gold, None]), [gold, gold])
    assert values["micro_precision"] == 1
    assert values["micro_recall"] == 0.5
    assert values["invalid_rate"] == 0.5
    assert values["exact_match"] == 0.5


def test_the_same_words_elsewhere_are_right_as_a_pair_and_wrong_as_a_span():
    gold = write_entities([entity(TEXT, 0, 3, "Task")])
    said = write_entities([entity(TEXT, 3, 6, "Task")])
    values = METRICS.score(Predictions([said]), [gold])
    assert (values["pair_f1"], values["micro_f1"], values["partial_f1"]) == (1, 0, 0)


def test_wrong_types_and_rough_places_count_in_part():
    gold = write_entities([entity(TEXT, 0, 6, "Task"), entity(TEXT, 9, 12, "Metric")])
    said = write_entities([entity(TEXT, 2, 6, "Task"), entity(TEXT, 9, 12, "Method")])
    values = METRICS.score(Predictions([said]), [gold])
    assert values["micro_f1"] == 0
    assert values["partial_f1"] == 0.75
    assert values["type_f1"] == 0.5


def test_scores_of_spans_have_bootstrap_intervals():
    right = write_entities([entity(TEXT, 0, 3, "Task")])
    wrong = write_entities([entity(TEXT, 0, 4, "Task")])
    interval = bootstrap_interval("micro_f1", METRICS, [right] * 60, [right] * 45 + [wrong] * 15)
    assert interval.mean == 0.75
    assert 0.6 < interval.low < 0.7
    assert 0.8 < interval.high < 0.9
