from dataclasses import replace

import pytest

from textune.approaches.base import REGISTRY, Context
from textune.approaches.prompted import Prompted
from textune.approaches.tfidf import Tfidf
from textune.approaches.tuned import Tuned
from textune.core.config import PluginOf
from textune.core.errors import DataError, ImpossibleError
from textune.data.entities import read_entities
from textune.data.examples import Example
from textune.methods.base import REGISTRY as METHODS
from textune.testing import check_approach
from textune.training.objective import main_score
from textune.training.search import SearchSpec, best, divided
from textune.training.settings import TrainingSpec

QUICK = TrainingSpec(epochs=1, batch_size=8, lr=1e-3)


def specs(folder):
    """At least one instance of every approach, with the tiny model where one is needed."""
    model = {"model": str(folder), "precision": "float32"}
    yield from ({"majority": {}}, {"tfidf": {}})
    yield from ({"prompted": model}, {"prompted": {**model, "shots": 4}})
    for method in METHODS.names():
        yield {"tuned": {**model, "method": method, "training": {"epochs": 1, "batch_size": 8}}}
    searched = {"training": {"epochs": 1, "batch_size": 8}, "search": {"trials": 2}}
    yield {"tuned": {**model, **searched}}


def build(spec):
    return PluginOf(REGISTRY).build(spec, where="test")


NUM_SPECS = len(list(specs("anywhere")))


@pytest.mark.parametrize("place", range(NUM_SPECS))
def test_every_approach_keeps_its_promises_on_classify(
    place, tiny_folder, classify_task, classify_examples
):
    approach = build(list(specs(tiny_folder))[place])
    check_approach(approach, classify_task, classify_examples)


@pytest.mark.parametrize("place", range(NUM_SPECS))
def test_every_approach_keeps_its_promises_on_pairs(place, tiny_folder, pair_task, pair_examples):
    check_approach(build(list(specs(tiny_folder))[place]), pair_task, pair_examples)


@pytest.fixture
def small(tiny_folder, tiny_encoder):
    """Builds approaches with small models and short training."""

    def make(name, **options):
        training = {"epochs": 1, "batch_size": 8, **options}
        language_model = {"model": str(tiny_folder), "precision": "float32"}
        return build(
            {
                "majority": {"majority": {}},
                "tfidf": {"tfidf": {}},
                "prompted": {"prompted": {**language_model, "shots": 3}},
                "tuned": {"tuned": {**language_model, "training": training}},
                "encoder": {"encoder": {"model": str(tiny_encoder), "training": training}},
            }[name]
        )

    return make


SORTS = ["majority", "tfidf", "prompted", "tuned", "encoder"]


@pytest.mark.parametrize("name", SORTS)
def test_every_sort_of_approach_keeps_its_promises_on_sets_of_labels(
    name, small, sets_task, sets_examples
):
    check_approach(small(name), sets_task, sets_examples)


@pytest.mark.parametrize(("name", "least"), [("tfidf", 0.8), ("encoder", 0.8), ("tuned", 0.7)])
def test_sets_of_labels_can_be_learnt(name, least, small, sets_task, sets_examples):
    approach = small(name, epochs=40, lr=3e-3)
    predictor = approach.fit(sets_task, sets_examples, [], seed=0, context=Context())
    said = predictor.predict(sets_examples)
    predictor.close()
    assert main_score(said, sets_task, sets_examples) > least
    none = small("majority").fit(sets_task, sets_examples, [], seed=0, context=Context())
    assert main_score(none.predict(sets_examples), sets_task, sets_examples) < 0.5


@pytest.mark.parametrize("name", SORTS)
def test_every_sort_of_approach_keeps_its_promises_on_grades(
    name, small, grade_task, grade_examples
):
    approach = small(name)
    check_approach(approach, grade_task, grade_examples)
    predictor = approach.fit(grade_task, grade_examples, [], seed=0, context=Context())
    said = predictor.predict(grade_examples[:5])
    predictor.close()
    expected = said.scores @ [0, 1, 2]
    assert [float(answer) for answer in said.answers] == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize(
    "place", [i for i, spec in enumerate(specs("")) if {"prompted", "tuned"} & set(spec)]
)
def test_language_models_keep_their_promises_on_entities(
    place, tiny_folder, extract_task, extract_examples
):
    check_approach(build(list(specs(tiny_folder))[place]), extract_task, extract_examples[:36])


def test_a_language_model_learns_to_write_entities(tiny_folder, extract_task, extract_examples):
    training = TrainingSpec(epochs=30, batch_size=8, lr=3e-3)
    method, model = METHODS.get("full")(), str(tiny_folder)
    approach = Tuned(method=method, model=model, precision="float32", training=training)
    train = extract_examples[:24]
    predictor = approach.fit(extract_task, train, (), seed=0, context=Context())
    said = predictor.predict(train)
    before = Prompted(model=str(tiny_folder), precision="float32").fit(
        extract_task, train, (), seed=0, context=Context()
    )
    untrained = before.predict(train)
    assert main_score(said, extract_task, train) > 0.5
    assert main_score(untrained, extract_task, train) < 0.2
    assert said.scores is None
    assert all(":" in text or text == "none" for text in said.raw)


def test_long_texts_with_entities_are_written_window_by_window(tiny_folder, extract_task):
    approach = Prompted(model=str(tiny_folder), precision="float32")
    predictor = approach.fit(extract_task, (), (), seed=0, context=Context())
    long, short = Example("a", ("Rao in 2019 " * 200,)), Example("b", ("Rao in 2019",))
    said = predictor.predict([long, short])
    assert predictor.num_cut([long, short]) == 1
    assert said.raw[0].count("\n") + 1 >= 2, "one answer for each window at least"
    assert said.raw[1] == predictor.predict([short]).raw[0]
    for found in read_entities(said.answers[0] or "[]"):
        assert long.texts[0][found.start : found.end] == found.surface


def test_every_approach_of_the_folder_is_checked(tiny_folder):
    checked = {next(iter(spec)) for spec in specs(tiny_folder)}
    checked |= {"nearest", "encoder", "served", "thresholded"}  # below, and in files of their own
    checked |= {"calibrated", "engineered"}
    checked |= {"bi_encoder", "bilstm_crf", "contrastive"}
    checked |= {"averaged", "siamese_arcnn", "siamese_cnn", "siamese_lstm"}
    assert checked == set(REGISTRY.names())


def test_the_sentence_encoder_keeps_the_promises(classify_task, classify_examples):
    check_approach(build("nearest"), classify_task, classify_examples)


def test_training_lowers_the_loss_and_reports_it(tiny_folder, classify_task, classify_examples):
    training = TrainingSpec(epochs=3, batch_size=8, lr=3e-3)
    approach = Tuned(model=str(tiny_folder), precision="float32", training=training)
    steps = []
    context = Context(report=lambda done, total, loss: steps.append((done, total)))
    predictor = approach.fit(classify_task, classify_examples, (), seed=0, context=context)
    notes = predictor.notes
    assert notes["train_loss_last_epoch"] < notes["train_loss_first_epoch"]
    assert steps == [(i, 24) for i in range(1, 25)]
    assert notes["lr"] == 3e-3
    predictor.close()


def test_the_best_epoch_is_kept_by_validation(tiny_folder, classify_task, classify_examples):
    training = TrainingSpec(epochs=3, batch_size=8, lr=3e-3)
    approach = Tuned(model=str(tiny_folder), precision="float32", training=training)
    train, valid = classify_examples[:40], classify_examples[40:]
    predictor = approach.fit(classify_task, train, valid, seed=0, context=Context())
    assert predictor.notes["best_epoch"] in (1, 2, 3)
    predictor.close()


@pytest.fixture
def searched(tiny_folder):
    training = TrainingSpec(epochs=1, batch_size=8, lr=1e-3)
    return Tuned(
        model=str(tiny_folder),
        precision="float32",
        training=training,
        search=SearchSpec(trials=3, valid_fraction=0.25),
    )


def test_a_search_chooses_among_trials_inside_the_training_part(
    searched, classify_task, classify_examples
):
    train, test, steps = classify_examples[:40], classify_examples[40:], []
    context = Context(report=lambda done, total, loss: steps.append((done, total)))
    predictor = searched.fit(classify_task, train, (), seed=0, context=context)
    assert [t.settings["lr"] for t in predictor.trials] == [1e-3, 3.16e-3, 3.16e-4]
    chosen = best(predictor.trials).settings["lr"]
    assert predictor.notes["lr"] == chosen
    assert (predictor.notes["search_train"], predictor.notes["search_valid"]) == (30, 10)
    assert steps == [(i, 3 * 4 + 5) for i in range(1, 3 * 4 + 5 + 1)]
    alone = replace(searched, search=None, training=replace(searched.training, lr=chosen))
    assert predictor.settled == alone
    said = predictor.predict(test).scores
    predictor.close()
    again = alone.fit(classify_task, train, (), seed=0, context=Context())
    assert again.predict(test).scores.tolist() == said.tolist()
    again.close()


def test_trials_score_what_their_settings_score(searched, classify_task, classify_examples):
    train = classify_examples[:40]
    predictor = searched.fit(classify_task, train, (), seed=5, context=Context())
    predictor.close()
    inner, held = divided(train, classify_task.kind, searched.search, seed=5)
    for trial in predictor.trials:
        alone = searched.with_settings(trial.settings)
        fitted = alone.fit(classify_task, inner, (), seed=5, context=Context())
        assert main_score(fitted.predict(held), classify_task, held) == trial.score
        fitted.close()


def test_a_fit_killed_in_a_search_goes_on_to_the_same_predictions(
    searched, tmp_path, classify_task, classify_examples
):
    train, test = classify_examples[:40], classify_examples[40:]
    whole = searched.fit(classify_task, train, (), seed=0, context=Context())
    expected, trials = whole.predict(test).scores.tolist(), whole.trials
    whole.close()
    for die_at in (6, 11, 15):  # in the second trial, in the third, in the training that counts
        folder = tmp_path / str(die_at)
        folder.mkdir()
        done = []

        def report(step, total, loss, die_at=die_at, done=done):
            done.append(step)
            if step == die_at and done.count(step) == 1:
                raise KeyboardInterrupt

        context = Context(work=folder, report=report, checkpoint_seconds=0.0)
        with pytest.raises(KeyboardInterrupt):
            searched.fit(classify_task, train, (), seed=0, context=context)
        again = searched.fit(classify_task, train, (), seed=0, context=context)
        assert again.predict(test).scores.tolist() == expected
        assert [(t.settings, t.score) for t in again.trials] == [
            (t.settings, t.score) for t in trials
        ]
        assert sum(done.count(step) > 1 for step in set(done)) <= 1
        again.close()


def test_one_base_serves_cells_in_turn_and_stays_as_it_was(
    tiny_folder, classify_task, classify_examples
):
    context = Context()
    zero = Prompted(model=str(tiny_folder), precision="float32")
    tuned = Tuned(model=str(tiny_folder), precision="float32", training=QUICK)

    def answers(approach):
        predictor = approach.fit(
            classify_task, classify_examples[:24], (), seed=0, context=context
        )
        scores = predictor.predict(classify_examples).scores
        predictor.close()
        return scores.tolist()

    before, after_tuning = answers(zero), answers(tuned)
    base = context.pool.borrow  # the same object lends every time
    assert answers(zero) == before
    assert after_tuning != before
    assert answers(tuned) == after_tuning
    assert context.pool.borrow == base


def test_a_method_that_alters_its_base_unasked_is_found_out(
    tiny_folder, classify_task, classify_examples
):
    from textune.core.errors import ModelError

    approach = Tuned(model=str(tiny_folder), precision="float32", training=QUICK)
    context = Context()
    predictor = approach.fit(classify_task, classify_examples[:16], (), seed=0, context=context)
    predictor.adapted.get_base_model().get_input_embeddings().weight.data[0, 0] += 1.0
    with pytest.raises(ModelError, match="frozen weights"):
        predictor.close()


def test_more_shots_than_examples_of_a_label_are_refused(
    tiny_folder, classify_task, classify_examples
):
    approach = Prompted(model=str(tiny_folder), shots=30)
    few = [e for e in classify_examples if e.answer != "result"][:30]
    with pytest.raises(DataError, match="result"):
        approach.fit(classify_task, few, (), seed=0, context=Context())


def test_a_kind_that_an_approach_cannot_do_is_refused(classify_task):
    class Picky(Tfidf):
        kinds = frozenset({"pair"})

    with pytest.raises(ImpossibleError, match="kind classify"):
        Picky().check(classify_task)


def test_demonstrations_come_from_the_training_part_alone(
    tiny_folder, classify_task, classify_examples
):
    approach = Prompted(model=str(tiny_folder), precision="float32", shots=6)
    train = classify_examples[:40]
    predictor = approach.fit(classify_task, train, (), seed=1, context=Context())
    shown = predictor.notes["demonstrations"].split()
    assert set(shown) <= {e.id for e in train}
    answers = [e.answer for e in train if e.id in shown]
    assert all(answers.count(label) == 2 for label in classify_task.labels)


def test_gold_answers_of_what_is_predicted_change_nothing(
    tiny_folder, classify_task, classify_examples
):
    approach = Prompted(model=str(tiny_folder), precision="float32")
    predictor = approach.fit(classify_task, (), (), seed=0, context=Context())
    lied = [replace(e, answer="method") for e in classify_examples]
    told = predictor.predict(classify_examples).scores.tolist()
    assert predictor.predict(lied).scores.tolist() == told
