import json

import pytest

from textune.approaches.base import Context, Parts
from textune.approaches.engineered import FORMS, Engineered, different, settings_of
from textune.approaches.prompted import Prompted
from textune.approaches.tfidf import Tfidf
from textune.core.errors import ConfigError, ImpossibleError
from textune.models.architecture import Drafts
from textune.prompts.choosers.bm25 import Bm25
from textune.prompts.wording import Wording
from textune.results.record import best_trial
from textune.testing import check_approach

OWN = (Wording(), Wording(instruction="Name the function."), Wording(definitions=False))


@pytest.fixture
def engineered(tiny_folder):
    def make(wordings=OWN, examples=12, **options):
        of = Prompted(model=str(tiny_folder), precision="float32", **options)
        return Engineered(of=of, wordings=wordings, examples=examples)

    return make


@pytest.mark.parametrize(("kind", "labels"), [("pair", 2), ("classify", 13)])
@pytest.mark.parametrize("options", [{}, {"shots": 2, "choose": Bm25()}, {"calibrated": True}])
def test_it_keeps_the_promises(options, kind, labels, engineered, planted):
    task, examples = planted(kind, labels, size=60)
    check_approach(engineered(**options), task, examples)


def test_every_wording_answers_the_same_held_out_examples_and_the_best_is_used(
    engineered, classify_task, classify_examples, monkeypatch
):
    train, asked = classify_examples[:40], []
    fitted = Prompted.fit

    def watched(self, task, part, valid, *, seed, context):
        predictor = fitted(self, task, part, valid, seed=seed, context=context)
        predict = predictor.predict

        def note(examples):
            asked.append((self.wording, {e.id for e in part}, [e.id for e in examples]))
            return predict(examples)

        predictor.predict = note
        return predictor

    monkeypatch.setattr(Prompted, "fit", watched)
    approach = engineered(shots=2)
    predictor = approach.fit(classify_task, train, (), seed=0, context=Context())
    assert [wording for wording, *_ in asked] == list(OWN)
    assert len({tuple(ids) for *_, ids in asked}) == 1
    for _, seen, ids in asked:
        assert len(ids) == 12
        assert not seen & set(ids)
        assert seen | set(ids) == {e.id for e in train}
    chosen = OWN[predictor.trials.index(best_trial(predictor.trials))]
    assert predictor.wording == chosen
    assert predictor.notes["wording"] == (chosen.label() or "default")
    assert (predictor.notes["search_train"], predictor.notes["search_valid"]) == (28, 12)
    alone = approach.of.worded(chosen).fit(classify_task, train, (), seed=0, context=Context())
    test = classify_examples[40:]
    assert predictor.predict(test).answers == alone.predict(test).answers


def test_trials_are_on_record_with_what_differs_and_their_score(
    engineered, classify_task, classify_examples
):
    approach = engineered()
    predictor = approach.fit(classify_task, classify_examples, (), seed=0, context=Context())
    assert [trial.settings for trial in predictor.trials] == [
        {"wording": "default"},
        {"instruction": "Name the function."},
        {"definitions": "false"},
    ]
    assert all(0 <= trial.score <= 1 and trial.seconds > 0 for trial in predictor.trials)
    again = approach.fit(classify_task, classify_examples, (), seed=0, context=Context())
    assert [t.score for t in again.trials] == [t.score for t in predictor.trials]


def test_a_killed_search_goes_on_behind_its_last_trial(
    engineered, classify_task, classify_examples, tmp_path
):
    approach = engineered()
    trials = [
        {"settings": settings_of(w), "score": s, "seconds": 1.0}
        for w, s in zip(OWN, (0.1, 0.9), strict=False)
    ]
    (tmp_path / "wordings.json").write_text(json.dumps(trials))
    context = Context(work=tmp_path)
    predictor = approach.fit(classify_task, classify_examples, (), seed=0, context=context)
    assert [t.score for t in predictor.trials][:2] == [0.1, 0.9]
    assert len(predictor.trials) == 3
    assert predictor.wording == OWN[1]


def test_at_most_half_of_the_training_part_is_held_out(
    engineered, classify_task, classify_examples
):
    approach = engineered(examples=1000)
    predictor = approach.fit(classify_task, classify_examples[:40], (), seed=0, context=Context())
    assert predictor.notes["search_valid"] <= 20


def test_wordings_that_make_the_same_prompt_are_tried_once(classify_task, planted):
    bare, _ = planted("classify", 3)
    assert different(classify_task, FORMS) == list(FORMS)
    assert different(bare, FORMS) == [FORMS[0], FORMS[2], FORMS[3]]


def test_what_has_no_prompts_is_refused(classify_task):
    with pytest.raises(ImpossibleError, match="tfidf has no prompts"):
        Engineered(of=Tfidf()).check(classify_task)


@pytest.mark.parametrize("options", [{"wordings": ()}, {"examples": 0}])
def test_nothing_to_try_is_refused(options):
    with pytest.raises(ConfigError, match="cannot be"):
        Engineered(of=Prompted(), **options)


def test_the_forecast_counts_every_trial(engineered, classify_task, classify_examples):
    parts = Parts(classify_examples[:40], (), classify_examples[40:])
    approach, drafts = engineered(), Drafts()
    whole = approach.forecast(classify_task, parts, drafts)
    alone = approach.of.forecast(classify_task, parts, drafts)
    assert whole.predict_flops == alone.predict_flops
    assert whole.fit_flops > alone.fit_flops == 0


def test_the_label_names_what_it_is(engineered):
    assert engineered(shots=4).label() == "4-shot, best of 3 wordings"
