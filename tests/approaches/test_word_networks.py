"""Approaches whose words, embeddings and layers come from the training part alone."""

import json

import pytest
from safetensors.torch import load_file, save_file

from textune.approaches.base import REGISTRY, Context
from textune.core.config import PluginOf
from textune.core.errors import ConfigError, ImpossibleError, StoreError
from textune.data.examples import Example
from textune.data.label_sets import write_labels
from textune.tasks.base import load_task
from textune.testing import check_approach
from textune.training.objective import main_score

SIAMESE = ["siamese_cnn", "siamese_arcnn", "siamese_lstm"]
NETWORKS = [*SIAMESE, "averaged"]
TOPICS = [f"topic{number}" for number in range(13)]
FILLER = ["how", "do", "i", "get", "rid", "of", "it", "in", "the", "end", "?"]


def build(name, *, epochs=1, lr=3e-3, **options):
    small = {"dimension": 16, "dropout": 0.1}
    sizes = {"siamese_cnn": {"filters": 8}, "siamese_arcnn": {"units": 8, "filters": 8}}
    sizes |= {"siamese_lstm": {"units": 8}, "averaged": {"buckets": 64}}
    training = {"epochs": epochs, "batch_size": 8, "lr": lr}
    spec = {name: {**small, **sizes[name], "training": training, **options}}
    return PluginOf(REGISTRY).build(spec, where="test")


def task_of(labels, *, texts=2, kind="pair", **more):
    columns = {"text": [f"text{i}" for i in range(texts)] if texts > 1 else "text"}
    return load_task(
        {
            "name": "planted",
            "kind": kind,
            "instruction": "Find the rule.",
            "labels": dict.fromkeys(labels, ""),
            "data": {"train": "nowhere.jsonl", "columns": columns},
            **more,
        }
    )


TWINS = task_of(["same", "other"], kind={"pair": {"symmetric": True}}, positive="same")


def twins(number):
    """Pairs that are the same exactly when they share their topic, half of them each."""
    found = []
    for place in range(number):
        shift = (place % 2) * (1 + place % 4)
        topics = TOPICS[place % 5], TOPICS[(place + shift) % 5]
        texts = tuple(
            " ".join([*FILLER[: 1 + (place + side) % 7], topic])
            for side, topic in enumerate(topics)
        )
        found.append(Example(str(place), texts, "same" if topics[0] == topics[1] else "other"))
    return found


def fitted(approach, task, train, *, seed=0, valid=(), context=None):
    return approach.fit(task, train, valid, seed=seed, context=context or Context())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("kind", ["pair", "grade"])
def test_it_keeps_the_promises_on_two_texts(name, kind, request):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    check_approach(build(name), task, examples)


@pytest.mark.parametrize("kind", ["classify", "sets"])
def test_averaged_embeddings_keep_the_promises_on_one_text(kind, request):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    check_approach(build("averaged"), task, examples)


@pytest.mark.parametrize("name", SIAMESE)
def test_two_texts_are_needed(name, classify_task):
    message = r"siamese_\w+ cannot do tasks of kind classify .*\nhint: it does grade, pair"
    with pytest.raises(ImpossibleError, match=message):
        build(name).check(classify_task)


@pytest.mark.parametrize("name", NETWORKS)
def test_thirteen_labels_are_learnt(name):
    task = task_of(TOPICS)
    pairs = [
        Example(f"{i}", (f"{' '.join(FILLER[: i % 9])} {topic}", f"{topic} ?"), topic)
        for i, topic in enumerate(TOPICS * 6)
    ]
    check_approach(build(name), task, pairs)
    predictor = fitted(build(name, epochs=12, lr=1e-2), task, pairs)
    assert main_score(predictor.predict(pairs), task, pairs) > 0.95


@pytest.mark.parametrize("name", NETWORKS)
def test_whether_two_texts_share_their_topic_is_learnt(name):
    pairs = twins(240)
    train, test = pairs[:160], pairs[160:]
    predictor = fitted(build(name, epochs=12, lr=1e-2), TWINS, train)
    assert main_score(predictor.predict(test), TWINS, test) > 0.9
    assert predictor.notes["train_loss_last_epoch"] < predictor.notes["train_loss_first_epoch"]
    turned = [TWINS.kind.turned(example) for example in test]
    assert main_score(predictor.predict(turned), TWINS, test) > 0.9


def test_averaged_embeddings_learn_what_only_an_n_gram_says():
    """In each text are the same words: their order decides."""
    task = task_of(["bites", "bitten"], texts=1, kind="classify")
    rows = [("dog bites man", "bites"), ("man bites dog", "bitten")]
    texts = [Example(f"{i}{answer}", (text,), answer) for i in range(20) for text, answer in rows]
    scores = {
        ngrams: main_score(
            fitted(build("averaged", epochs=15, lr=1e-2, ngrams=ngrams), task, texts).predict(
                texts
            ),
            task,
            texts,
        )
        for ngrams in (1, 2)
    }
    assert scores[2] == 1
    assert scores[1] < 0.5


def test_sets_of_labels_are_learnt():
    task = task_of(["in", "and", "of"], texts=1, kind="multilabel")
    texts = [
        Example(str(i), (" ".join(["word", *named]),), write_labels(named))
        for i, named in enumerate([["in"], ["and", "of"], [], ["of"], ["in", "and"]] * 8)
    ]
    predictor = fitted(build("averaged", epochs=40, lr=1e-2), task, texts)
    assert main_score(predictor.predict(texts), task, texts) > 0.95


@pytest.mark.parametrize("name", NETWORKS)
def test_words_come_from_the_training_part_alone(name):
    pairs = twins(24)
    strange = [Example("x", ("unseen words only", "unseen words"), "same")] * 3
    predictor = fitted(build(name, min_count=1), TWINS, pairs, valid=strange)
    occurring = {word for e in pairs for text in e.texts for word in text.split()}
    assert set(predictor.vocabulary.words) == occurring
    assert predictor.notes["words"] == len(occurring)
    assert set(fitted(build(name), TWINS, pairs, valid=strange).vocabulary.words) <= occurring


@pytest.mark.parametrize("name", NETWORKS)
def test_texts_without_words_get_an_answer_and_disturb_no_other(name):
    pairs = [*twins(24), Example("s", ("?!", "..."), "other"), Example("e", (" ", ""), "other")]
    predictor = fitted(build(name), TWINS, pairs)
    said = predictor.predict(pairs)
    alone = [predictor.predict([pair]) for pair in pairs]
    assert [one.answers[0] for one in alone] == said.answers
    assert None not in said.answers
    for one, scores in zip(alone, said.scores, strict=True):
        assert one.scores[0] == pytest.approx(scores, abs=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_fit_that_was_killed_goes_on_to_the_same_predictions(name, tmp_path):
    pairs, approach, done = twins(40), build(name, epochs=3), []
    train, valid, test = pairs[:20], pairs[20:30], pairs[30:]
    expected = fitted(approach, TWINS, train, valid=valid).predict(test).scores.tolist()

    def report(step, total, loss):
        done.append((step, total))
        if step == 5 and done.count((step, total)) == 1:
            raise KeyboardInterrupt

    context = Context(work=tmp_path, report=report, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        fitted(approach, TWINS, train, valid=valid, context=context)
    again = fitted(approach, TWINS, train, valid=valid, context=context)
    assert again.predict(test).scores.tolist() == expected
    assert [step for step, _ in done] == [1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    assert again.notes["best_epoch"] in (1, 2, 3)


@pytest.mark.parametrize("name", NETWORKS)
def test_another_seed_gives_another_network(name):
    pairs = twins(24)
    scores = [
        fitted(build(name), TWINS, pairs, seed=seed).predict(pairs).scores.tolist()
        for seed in (0, 1)
    ]
    assert scores[0] != scores[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_threshold_can_be_fitted_round_it(name):
    pairs = twins(60)
    spec = {"thresholded": {"of": {name: {"training": {"epochs": 1}}}}}
    approach = PluginOf(REGISTRY).build(spec, where="test")
    check_approach(approach, TWINS, pairs)
    assert 0 <= fitted(approach, TWINS, pairs).notes["threshold"] <= 1


@pytest.mark.parametrize("name", NETWORKS)
def test_damaged_files_are_named(name, tmp_path):
    pairs, approach = twins(24), build(name)
    fitted(approach, TWINS, pairs).save(tmp_path)
    weights, words = tmp_path / "network.safetensors", tmp_path / "vocabulary.json"
    content = json.loads(words.read_text(encoding="utf-8"))
    words.write_text(json.dumps({**content, "words": content["words"][1:]}), encoding="utf-8")
    with pytest.raises(StoreError, match=r"damaged weights .*network\.safetensors"):
        approach.load(TWINS, tmp_path, context=Context())
    words.write_text("[]", encoding="utf-8")
    with pytest.raises(StoreError, match=r"damaged .*vocabulary\.json"):
        approach.load(TWINS, tmp_path, context=Context())
    words.write_text(json.dumps(content), encoding="utf-8")
    tensors = load_file(weights)
    del tensors["embedding.weight"]
    save_file(tensors, weights)
    with pytest.raises(StoreError, match=r"damaged weights .*network\.safetensors"):
        approach.load(TWINS, tmp_path, context=Context())


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        *[("averaged", *each) for each in [("dimension", 0), ("buckets", 0), ("dropout", 1.0)]],
        *[("averaged", *each) for each in [("hidden", -1), ("min_count", 0), ("ngrams", 0)]],
        ("siamese_lstm", "units", 0),
        ("siamese_arcnn", "width", 0),
        ("siamese_cnn", "widths", []),
        ("siamese_cnn", "widths", [2, 0]),
    ],
)
def test_options_that_cannot_be_are_refused(name, option, value):
    with pytest.raises(ConfigError, match=rf"{option} cannot be "):
        build(name, **{option: value})


def test_a_small_network_makes_many_steps_of_a_small_training_part():
    named = [PluginOf(REGISTRY).build(name, where="test") for name in NETWORKS]
    assert {each.training.total_steps(24) for each in named} == {300}


def test_the_default_rate_is_part_of_what_is_recorded():
    named = PluginOf(REGISTRY).build("siamese_cnn", where="test")
    assert named.training.lr == "auto"
    assert named.resolved().training.lr == named.lr
