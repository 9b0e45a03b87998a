"""Options of ``prompted``: each keeps the promises, and each refuses what does not go with it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from textune.approaches.base import Context, Parts
from textune.approaches.prompted import Prompted
from textune.core.config import fingerprint
from textune.core.errors import ConfigError, ImpossibleError
from textune.engine import plain
from textune.models.architecture import Drafts
from textune.prompts.calibration import calibrate, content_free
from textune.prompts.choosers.base import REGISTRY
from textune.prompts.choosers.bm25 import Bm25
from textune.prompts.choosers.diverse import Diverse
from textune.prompts.choosers.embedding import Embedding
from textune.prompts.wording import Wording
from textune.testing import check_approach

OPTIONS = {
    "bm25": {"shots": 3, "choose": Bm25()},
    "embedding": {"shots": 2, "choose": Embedding},
    "diverse": {"shots": 3, "choose": Diverse},
    "bare labels": {"shots": 2, "wording": Wording(definitions=False, order="reversed")},
    "instruction last": {"shots": 2, "wording": Wording(instruction="Decide.", place="after")},
    "calibrated": {"calibrated": True},
    "calibrated bm25": {"calibrated": True, "shots": 2, "choose": Bm25()},
    "free": {"answers": "free", "most_tokens": 6},
    "free with shots": {"answers": "free", "most_tokens": 6, "shots": 2, "choose": Bm25()},
    "reasoned": {"answers": "reasoned", "most_tokens": 12},
}


@pytest.fixture
def prompted(tiny_folder, tiny_encoder):
    """Builds the approach with the tiny model; an encoder is the tiny one."""

    def make(**options):
        choose = options.get("choose")
        if isinstance(choose, type):
            options = {**options, "choose": choose(model=str(tiny_encoder))}
        return Prompted(model=str(tiny_folder), precision="float32", **options)

    return make


def fit(approach, task, train=(), seed=0):
    return approach.fit(task, train, (), seed=seed, context=Context())


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(("kind", "labels"), [("pair", 2), ("classify", 13)])
def test_every_option_keeps_the_promises(name, kind, labels, prompted, planted):
    task, examples = planted(kind, labels, size=27)
    check_approach(prompted(**OPTIONS[name]), task, examples)


@pytest.mark.parametrize("name", ["bm25", "free with shots"])
def test_entities_can_have_demonstrations_of_their_own_and_free_answers(
    name, prompted, extract_task, extract_examples
):
    check_approach(prompted(**OPTIONS[name]), extract_task, extract_examples[:12])


def test_settings_that_have_results_keep_their_fingerprints():
    assert fingerprint(Prompted(precision="float32")) == "32cc049572d8c3bb"
    assert fingerprint(Prompted(shots=8, precision="bfloat16")) == "ba42a43ea049099f"
    changed = [
        Prompted(precision="float32", **options)
        for options in (
            {"calibrated": True},
            {"answers": "free"},
            {"answers": "free", "most_tokens": 9},
            {"shots": 1, "choose": Bm25()},
            {"wording": Wording(definitions=False)},
        )
    ]
    prints = {fingerprint(approach) for approach in changed}
    assert len(prints | {"32cc049572d8c3bb"}) == len(changed) + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"choose": Bm25()}, "bm25 has no demonstrations to choose"),
        ({"shots": 2, "answers": "reasoned"}, "demonstrations show no reasoning"),
        ({"calibrated": True, "answers": "free"}, "calibration is for scored labels"),
        ({"most_tokens": 9}, "most_tokens cannot be 9 for constrained answers"),
        ({"most_tokens": 0, "answers": "free"}, "most_tokens cannot be 0"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Prompted(**options)


@pytest.mark.parametrize("options", [{"calibrated": True}, {"answers": "reasoned"}])
def test_what_needs_scored_labels_is_refused_for_entities(options, extract_task):
    with pytest.raises(ImpossibleError, match=r"tasks of kind extract .* in writing"):
        Prompted(**options).check(extract_task)


def test_free_text_that_leaves_no_room_for_the_prompt_is_refused(prompted, classify_task):
    with pytest.raises(ConfigError, match="5000 tokens of free text leave no room"):
        fit(prompted(answers="free", most_tokens=5000), classify_task)


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({}, "zero-shot"),
        ({"shots": 8}, "8-shot"),
        ({"shots": 8, "choose": Bm25()}, "8-shot, nearest (BM25)"),
        ({"shots": 8, "choose": Diverse()}, "8-shot, diverse"),
        ({"wording": Wording(definitions=False)}, "zero-shot, no definitions"),
        ({"answers": "free"}, "zero-shot, free answers"),
        ({"answers": "reasoned"}, "zero-shot, chain of thought"),
        ({"calibrated": True}, "zero-shot, contextual calibration"),
    ],
)
def test_tables_tell_options_apart(options, label):
    assert Prompted(**options).label() == label


def test_a_test_example_that_is_in_the_training_part_is_never_shown_to_itself(
    prompted, classify_task, classify_examples
):
    train = classify_examples[:20]
    for choose in REGISTRY.names():
        cls = REGISTRY.get(choose)
        needs_encoder = cls().encoder is not None
        predictor = fit(
            prompted(shots=3, choose=cls if needs_encoder else cls()), classify_task, train
        )
        prompter = predictor.readout.prompter
        for example in train:
            (prompt,) = prompter.prompts([replace(example, id="x", answer=None)])
            text = prompter.tokenizer.decode(prompt)
            assert text.count(prompter.tokenizer.decode(prompter._ids([example.texts[0]])[0])) == 1


def test_demonstrations_of_each_example_score_as_one_prompt_at_a_time(
    prompted, classify_task, classify_examples
):
    train, test = classify_examples[:40], classify_examples[40:]
    predictor = fit(prompted(shots=2, choose=Bm25()), classify_task, train)
    readout = predictor.readout
    prompts = readout.prompter.prompts(test)
    assert len({prompt[:200] for prompt in prompts}) > 1, "all were shown the same"
    expected = plain.label_scores(readout.engine.model, prompts, readout.labels.paths)
    found = predictor.predict(test).scores
    np.testing.assert_allclose(found, expected.double().softmax(-1).numpy(), atol=1e-5)
    assert predictor.notes["demonstrations"] == "for each example 2 of 40"


def test_a_bundle_keeps_what_nearest_chooses_from(
    prompted, classify_task, classify_examples, tmp_path
):
    train = classify_examples[:40]
    fit(prompted(shots=2, choose=Bm25()), classify_task, train).save(tmp_path)
    rows = json.loads((tmp_path / "demonstrations.json").read_text())
    assert [row["id"] for row in rows] == [e.id for e in train]


def test_calibrated_scores_are_those_of_the_formula(prompted, classify_task, classify_examples):
    test = classify_examples[:5]
    predictor = fit(prompted(calibrated=True), classify_task)
    readout = predictor.readout
    alone = [
        plain.label_scores(
            readout.engine.model, readout.prompter.prompts(part), readout.labels.paths
        )
        for part in (test, content_free(1))
    ]
    log, blank = (part.double().numpy() for part in alone)
    expected = calibrate(log, np.stack([blank] * len(test)))
    np.testing.assert_allclose(predictor.predict(test).scores, expected, atol=1e-5)
    np.testing.assert_allclose(predictor.predict(test[3:]).scores, expected[3:], atol=1e-5)


def test_a_free_answer_is_read_and_an_unreadable_one_is_invalid(
    prompted, classify_task, classify_examples, monkeypatch
):
    predictor = fit(prompted(answers="free"), classify_task)
    prompter = predictor.readout.prompter
    texts = ["It is Method.", "hard to say", "method or result", "**result**"]
    written = [tuple(prompter._ids([text])[0]) for text in texts]
    monkeypatch.setattr(type(predictor.readout.engine), "decode", lambda *_, **__: written)
    said = predictor.predict(classify_examples[:4])
    assert said.answers == ["method", None, None, "result"]
    assert said.scores is None
    assert [" ".join(text.split()) for text in said.raw][1] == prompter.text(written[1])
    mean = sum(map(len, written)) / 4
    assert predictor.notes["mean_tokens_written"] == pytest.approx(mean)


def test_labels_are_scored_behind_the_reasoning_and_a_cue(
    prompted, classify_task, classify_examples
):
    predictor = fit(prompted(answers="reasoned", most_tokens=12), classify_task)
    test, readout = classify_examples[:4], predictor.readout
    said = predictor.predict(test)
    tokenizer = readout.prompter.tokenizer
    assert "Think step by step" in readout.prompter.prompt.before
    for example, reason, scores in zip(test, said.raw, said.scores, strict=True):
        (prompt,) = readout.prompter.prompts([example])
        cue = tokenizer("\n\nAnswer:", add_special_tokens=False).input_ids
        thought = tokenizer(reason, add_special_tokens=False).input_ids[:12]
        words = [f" {word}" for word in classify_task.words.values()]
        paths = tokenizer(words, add_special_tokens=False).input_ids
        whole = [(*prompt, *thought, *cue)]
        log = plain.label_scores(readout.engine.model, whole, paths)
        expected = log.double().softmax(-1)
        np.testing.assert_allclose(scores, expected[0], atol=1e-5)
    assert 0 < predictor.notes["mean_tokens_written"] <= 12


def test_only_the_first_answers_count_in_the_mean_length(
    prompted, classify_task, classify_examples
):
    predictor = fit(prompted(answers="reasoned", most_tokens=5), classify_task)
    predictor.predict(classify_examples[:3])
    before = predictor.notes["mean_tokens_written"]
    predictor.predict(classify_examples[3:4])
    assert predictor.notes["mean_tokens_written"] == before


def test_a_base_model_that_goes_on_with_a_next_example_is_read_before_it(prompted, classify_task):
    prompter = fit(prompted(answers="free"), classify_task).readout.prompter
    tokens = prompter._ids(["method\n\nText: We use it.\nAnswer: result"])[0]
    assert prompter.reply(tokens) == prompter.text(tokens)
    prompter.tokenizer.chat_template = None
    assert "result" not in prompter.reply(tokens)


def test_more_prompts_and_more_tokens_are_forecast(prompted, classify_task, classify_examples):
    parts = Parts(classify_examples[:40], (), classify_examples[40:])
    drafts = Drafts()

    def flops(**options):
        return prompted(**options).forecast(classify_task, parts, drafts).predict_flops

    zero, balanced = flops(), flops(shots=3)
    assert zero < balanced < flops(shots=3, choose=Bm25())
    assert zero < flops(calibrated=True) < 1.5 * zero
    assert flops(shots=2, choose=Bm25(), calibrated=True) > flops(shots=2, choose=Bm25())
    assert flops(answers="free", most_tokens=4) < flops(answers="free", most_tokens=40)
    assert flops(answers="free", most_tokens=40) < flops(answers="reasoned", most_tokens=40)


def test_a_wording_changes_the_prompt_and_not_the_columns_of_scores(
    prompted, classify_task, classify_examples
):
    plainly = fit(prompted(), classify_task)
    turned = fit(prompted(wording=Wording(order="reversed", definitions=False)), classify_task)
    text = turned.readout.prompter.prompt.before
    words = list(classify_task.words.values())
    listed = [line[2:] for line in text.splitlines() if line.startswith("- ")]
    assert listed == words[::-1]
    assert turned.readout.labels == plainly.readout.labels


def test_the_instruction_behind_the_input_closes_the_last_turn(prompted, classify_task):
    wording = Wording(instruction="Decide now.", place="after")
    prompt = fit(prompted(wording=wording), classify_task).readout.prompter.prompt
    assert "Decide now." in prompt.after
    assert "Decide now." not in prompt.before
    assert classify_task.instruction.strip() not in prompt.text("x")
