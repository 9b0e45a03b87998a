import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.approaches.base import REGISTRY, Context
from textune.approaches.calibrated import RANGE, best_temperature, tempered
from textune.core.config import PluginOf
from textune.core.errors import DataError, ImpossibleError, StoreError
from textune.data.predictions import Predictions
from textune.evaluation.probabilities import calibration
from textune.testing import check_approach


def build(inside, **options):
    return PluginOf(REGISTRY).build({"calibrated": {"of": inside, **options}}, where="test")


@st.composite
def scored(draw):
    """Scores (N, 3) with rows summing to one, zeros among them, and gold columns (N,)."""
    row = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda r: sum(r) > 0.01)
    weights = np.array(draw(st.lists(row, min_size=1, max_size=30)))
    gold = draw(st.lists(st.integers(0, 2), min_size=len(weights), max_size=len(weights)))
    return weights / weights.sum(1, keepdims=True), np.array(gold)


@pytest.mark.parametrize(
    "inside",
    ["tfidf", "majority", {"calibrated": {"of": "tfidf"}}, {"thresholded": {"of": "tfidf"}}],
)
def test_it_keeps_the_promises_of_an_approach(inside, pair_task, pair_examples):
    check_approach(build(inside), pair_task, pair_examples)


def test_it_keeps_them_with_three_labels_and_with_grades(
    classify_task, classify_examples, grade_task, grade_examples
):
    check_approach(build("tfidf"), classify_task, classify_examples)
    check_approach(build("tfidf"), grade_task, grade_examples)


def test_it_stands_inside_a_fitted_threshold_too(pair_task, pair_examples):
    inside = {"calibrated": {"of": "tfidf"}}
    approach = PluginOf(REGISTRY).build({"thresholded": {"of": inside}}, where="test")
    check_approach(approach, pair_task, pair_examples)
    assert approach.label() == "tfidf, calibrated, fitted threshold"


def test_a_tuned_model_inside_keeps_them_too(tiny_folder, classify_task, classify_examples):
    training = {"epochs": 1, "batch_size": 8}
    tuned = {"tuned": {"model": str(tiny_folder), "precision": "float32", "training": training}}
    approach = build(tuned)
    check_approach(approach, classify_task, classify_examples)
    assert (approach.belongs_to, approach.base) == ("tuned", str(tiny_folder))


def test_answers_stay_and_scores_are_those_of_the_approach_tempered(
    classify_task, classify_examples
):
    plain = build("tfidf").of.fit(classify_task, classify_examples, [], seed=0, context=Context())
    fitted = build("tfidf").fit(classify_task, classify_examples, [], seed=0, context=Context())
    expected, said = plain.predict(classify_examples), fitted.predict(classify_examples)
    assert said.answers == expected.answers
    np.testing.assert_allclose(said.scores, tempered(expected.scores, fitted.number))
    assert fitted.predict([]).answers == []


def test_the_notes_say_what_the_temperature_did_to_the_examples_held_out(
    classify_task, classify_examples
):
    approach = build("tfidf", valid_fraction=0.25)
    fitted = approach.fit(classify_task, classify_examples, [], seed=3, context=Context())
    notes = fitted.notes
    assert notes["temperature"] == fitted.number
    assert RANGE[0] <= fitted.number <= RANGE[1]
    assert notes["temperature_held"] == round(len(classify_examples) / 4)
    assert 0 <= notes["temperature_ece_after"] <= 1
    assert notes["temperature_ece_before"] != notes["temperature_ece_after"]
    assert notes["features"] > 0


def test_the_temperature_is_that_of_examples_which_the_first_fit_has_not_seen(
    classify_task, classify_examples, monkeypatch
):
    approach, seen, asked = build("tfidf"), [], []
    kind = type(approach.of)
    fit = kind.fit

    def watched(self, task, train, valid, **options):
        seen.append([e.id for e in train])
        predictor = fit(self, task, train, valid, **options)
        predict = predictor.predict
        predictor.predict = lambda examples: asked.append(list(examples)) or predict(examples)
        return predictor

    monkeypatch.setattr(kind, "fit", watched)
    fitted = approach.fit(classify_task, classify_examples[:50], [], seed=0, context=Context())
    (held,) = asked
    assert len(seen[0]) + len(held) == len(seen[1]) == 50
    assert not {e.id for e in held} & set(seen[0])
    first = fit(
        approach.of,
        classify_task,
        [e for e in classify_examples[:50] if e.id in seen[0]],
        [],
        seed=0,
        context=Context(),
    )
    codes = [list(classify_task.labels).index(e.answer) for e in held]
    found = best_temperature(first.predict(held).scores, np.array(codes))
    assert fitted.number == pytest.approx(found)


@given(scored())
def test_the_log_loss_of_what_it_is_fitted_on_never_rises(case):
    scores, gold = case
    temperature = best_temperature(scores, gold)
    before, after = (
        calibration(each, gold, gold)["log_loss"]
        for each in (scores, tempered(scores, temperature))
    )
    assert after <= before + 1e-9


@given(scored())
def test_no_other_temperature_in_range_has_a_lower_log_loss(case):
    scores, gold = case
    scores = (scores + 0.01) / 1.03  # no zeros: a log loss that is clipped is no measure
    best = best_temperature(scores, gold)

    def loss(temperature):
        rows = np.log(tempered(scores, temperature))
        return -rows[np.arange(len(gold)), gold].mean()

    others = np.geomspace(*RANGE, 41)
    assert loss(best) <= min(map(loss, others)) + 1e-4  # a search ends near the ends


@given(scored(), st.floats(*RANGE))
def test_a_temperature_keeps_rows_scores_and_their_order(case, temperature):
    scores, _ = case
    changed = tempered(scores, temperature)
    np.testing.assert_allclose(changed.sum(1), 1)
    np.testing.assert_allclose(tempered(scores, 1.0), scores, atol=1e-12)
    top = changed[np.arange(len(scores)), scores.argmax(1)]
    np.testing.assert_array_equal(top, changed.max(1))


def test_scores_that_were_sharpened_are_found_out():
    draws = np.random.default_rng(0)
    chances = draws.dirichlet([1, 1, 1], 20_000)
    gold = (draws.random((20_000, 1)) > chances.cumsum(1)).sum(1)
    sharp = tempered(chances, 1 / 3)
    assert best_temperature(sharp, gold) == pytest.approx(3, rel=0.03)
    errors = [
        calibration(each, gold, each.argmax(1))["ece"] for each in (sharp, tempered(sharp, 3.0))
    ]
    assert errors[0] > 0.1
    assert errors[1] < 0.01


def test_a_share_in_which_everything_is_right_ends_at_the_end_of_the_range():
    scores, gold = np.array([[0.6, 0.4], [0.3, 0.7]]), np.array([0, 1])
    assert best_temperature(scores, gold) == pytest.approx(RANGE[0], rel=1e-3)


def test_sets_of_labels_have_no_temperature(sets_task):
    with pytest.raises(ImpossibleError, match="calibrated cannot do tasks of kind multilabel"):
        build("tfidf").check(sets_task)


def test_an_approach_without_scores_is_refused(classify_task, classify_examples, monkeypatch):
    approach = build("majority")

    class Silent:
        def predict(self, examples):
            return Predictions([None] * len(examples))

        def close(self):
            pass

    monkeypatch.setattr(type(approach.of), "fit", lambda *_, **__: Silent())
    with pytest.raises(DataError, match="a temperature needs scores, and majority gives none"):
        approach.fit(classify_task, classify_examples, [], seed=0, context=Context())


def test_a_damaged_temperature_is_named(tmp_path, classify_task, classify_examples):
    fitted = build("tfidf").fit(classify_task, classify_examples, [], seed=0, context=Context())
    fitted.save(tmp_path)
    saved = json.loads((tmp_path / "temperature.json").read_text())
    assert set(saved) == {"temperature", "held", "ece_before", "ece_after"}
    (tmp_path / "temperature.json").write_text('{"temperature": "hot"}')
    with pytest.raises(StoreError, match=r"damaged .*temperature\.json"):
        build("tfidf").load(classify_task, tmp_path, context=Context())
