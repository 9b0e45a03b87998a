import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from textune.approaches.base import REGISTRY, Context
from textune.approaches.thresholded import best_threshold
from textune.core.config import PluginOf
from textune.core.errors import ConfigError, ImpossibleError, StoreError
from textune.tasks.base import load_task
from textune.testing import check_approach

TASK = load_task("questions-sample")


def build(inside, **options):
    return PluginOf(REGISTRY).build({"thresholded": {"of": inside, **options}}, where="test")


@pytest.mark.parametrize("inside", ["tfidf", {"thresholded": {"of": "tfidf"}}])
def test_it_keeps_the_promises_of_an_approach(inside, pair_task, pair_examples):
    check_approach(build(inside), pair_task, pair_examples)


def test_a_tuned_model_inside_keeps_them_too(tiny_folder, pair_task, pair_examples):
    training = {"epochs": 1, "batch_size": 8}
    tuned = {"tuned": {"model": str(tiny_folder), "precision": "float32", "training": training}}
    approach = build(tuned)
    check_approach(approach, pair_task, pair_examples)
    assert approach.label() == "lora, fitted threshold"
    assert (approach.belongs_to, approach.base) == ("tuned", str(tiny_folder))


def test_what_a_search_inside_settled_is_kept_with_the_threshold(
    tiny_folder, pair_task, pair_examples
):
    training = {"epochs": 1, "batch_size": 8}
    model = {"model": str(tiny_folder), "precision": "float32"}
    search = {"trials": 2, "over": "all"}
    approach = build({"tuned": {**model, "training": training, "search": search}})
    fitted = approach.fit(pair_task, pair_examples, [], seed=0, context=Context())
    assert fitted.settled.of == fitted.inside.settled
    assert fitted.settled.of.search is None
    fitted.close()
    plain = build("tfidf").fit(pair_task, pair_examples, [], seed=0, context=Context())
    assert plain.settled is None


def test_scores_stay_and_answers_follow_the_threshold(pair_task, pair_examples):
    plain = build("tfidf").of.fit(pair_task, pair_examples, [], seed=0, context=Context())
    fitted = build("tfidf").fit(pair_task, pair_examples, [], seed=0, context=Context())
    expected, said = plain.predict(pair_examples), fitted.predict(pair_examples)
    np.testing.assert_allclose(said.scores, expected.scores)
    column = list(pair_task.labels).index(pair_task.positive)
    above = said.scores[:, column] >= fitted.number
    assert [a == pair_task.positive for a in said.answers] == above.tolist()
    assert fitted.notes["threshold"] == fitted.number
    assert fitted.notes["threshold_held"] == 9


def test_no_example_to_predict_is_seen_in_fitting(pair_task, pair_examples, monkeypatch):
    approach, seen = build("tfidf"), []
    kind = type(approach.of)
    fit = kind.fit

    def watched(self, task, train, valid, **options):
        seen.append({e.id for e in train})
        return fit(self, task, train, valid, **options)

    monkeypatch.setattr(kind, "fit", watched)
    approach.fit(pair_task, pair_examples[:30], [], seed=0, context=Context())
    allowed = {e.id for e in pair_examples[:30]}
    assert [len(ids) for ids in seen] == [24, 30]
    assert all(ids <= allowed for ids in seen)


@given(
    scores=st.lists(
        st.tuples(st.floats(0, 1).map(lambda x: round(x, 2)), st.booleans()), min_size=2
    ).filter(lambda rows: any(yes for _, yes in rows))
)
def test_no_threshold_has_a_better_f1_than_the_one_found(scores):
    positive = np.array([score for score, _ in scores])
    column = list(TASK.labels).index(TASK.positive)
    table = np.zeros((len(scores), 2))
    table[:, column], table[:, 1 - column] = positive, 1 - positive
    other = next(label for label in TASK.labels if label != TASK.positive)
    gold = [TASK.positive if yes else other for _, yes in scores]
    found = best_threshold(table, gold, TASK)
    truth = [yes for _, yes in scores]

    def f1(threshold):
        return f1_score(truth, positive >= threshold, zero_division=0)

    assert f1(found) == pytest.approx(max(f1(t) for t in [*positive, 0.0, 2.0, 0.5]))


def test_a_task_without_a_positive_label_is_refused(classify_task):
    with pytest.raises(ImpossibleError, match=r"two labels, one of them positive"):
        build("tfidf").check(classify_task)


def test_a_wrong_share_is_refused():
    with pytest.raises(ConfigError, match=r"valid_fraction cannot be 1"):
        build("tfidf", valid_fraction=1.0)


def test_a_damaged_threshold_is_named(tmp_path, pair_task, pair_examples):
    fitted = build("tfidf").fit(pair_task, pair_examples, [], seed=0, context=Context())
    fitted.save(tmp_path)
    (tmp_path / "threshold.json").write_text('{"threshold": "high"}')
    with pytest.raises(StoreError, match=r"damaged .*threshold\.json"):
        build("tfidf").load(pair_task, tmp_path, context=Context())
