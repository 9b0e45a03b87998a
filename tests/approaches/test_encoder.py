import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from textune.approaches.base import Context
from textune.approaches.bi_encoder import BiEncoder
from textune.approaches.encoder import Encoder
from textune.core.config import fingerprint
from textune.core.errors import ImpossibleError, StoreError
from textune.data.entities import entity, read_entities, write_entities
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.engine.padding import PASS, divided
from textune.evaluation.metrics.base import metrics_of
from textune.models.device import best_precision
from textune.study.plan import make_plan
from textune.study.spec import build_study
from textune.testing import check_approach
from textune.training.settings import TrainingSpec


@pytest.fixture
def encoder(tiny_encoder):
    def make(precision="auto", **training):
        settings = TrainingSpec(**{"epochs": 1, "batch_size": 8, "lr": 3e-3, **training})
        return Encoder(model=str(tiny_encoder), training=settings, precision=precision)

    return make


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("kind", ["classify", "pair", "extract"])
def test_an_encoder_keeps_the_promises_on_every_kind(kind, precision, encoder, request):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    check_approach(encoder(precision), task, examples)


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_weights_come_back_bit_for_bit_in_the_format_that_they_have(
    precision, encoder, classify_task, classify_examples, tmp_path
):
    approach, train, test = encoder(precision), classify_examples[:40], classify_examples[40:]
    predictor = approach.fit(classify_task, train, (), seed=0, context=Context())
    predictor.save(tmp_path)
    loaded = approach.load(classify_task, tmp_path, context=Context())
    fitted, again = (each.engine.model.state_dict() for each in (predictor, loaded))
    saved = load_file(tmp_path / "encoder.safetensors")
    assert saved.keys() == fitted.keys() == again.keys()
    for name, tensor in saved.items():
        own = getattr(torch, precision) if name.startswith("encoder.") else torch.float32
        assert tensor.dtype == fitted[name].dtype == again[name].dtype == own, name
        assert torch.equal(tensor, fitted[name]), name
        assert torch.equal(tensor, again[name]), name
    assert loaded.predict(test).scores.tolist() == predictor.predict(test).scores.tolist()


def test_a_cell_says_the_number_format_of_its_machine():
    assert Encoder().resolved().precision == best_precision()
    assert Encoder(precision="float32").resolved().precision == "float32"


def test_it_learns_to_find_entities(encoder, extract_task, extract_examples):
    """Capitals are gone in the tokenizer, so only known names and years can be found."""
    predictor = encoder(epochs=30).fit(
        extract_task, extract_examples, (), seed=0, context=Context()
    )
    assert predictor.notes["train_loss_last_epoch"] < predictor.notes["train_loss_first_epoch"] / 5
    said = predictor.predict(extract_examples)
    scores = metrics_of(extract_task).score(said, [str(e.answer) for e in extract_examples])
    assert scores["micro_f1"] > 0.9
    assert scores["f1:Year"] > 0.9


@pytest.mark.parametrize("num_labels", [2, 13])
@pytest.mark.parametrize("crf", [False, True])
def test_it_keeps_the_promises_with_few_types_and_many(crf, num_labels, encoder, planted):
    check_approach(replace(encoder(), crf=crf), *planted("extract", num_labels))


def test_a_crf_learns_to_find_entities_and_begins_what_goes_on(
    encoder, extract_task, extract_examples
):
    approach = replace(encoder(epochs=15), crf=True)
    predictor = approach.fit(extract_task, extract_examples, (), seed=0, context=Context())
    said = predictor.predict(extract_examples)
    gold = [str(e.answer) for e in extract_examples]
    assert metrics_of(extract_task).score(said, gold)["micro_f1"] > 0.85
    chain = predictor.engine.model.chain
    assert chain.transition_CC.abs().max() > 0
    inside = [place for place, name in enumerate(predictor.classes) if name.startswith("I-")]
    for path in predictor.engine.tags(predictor.encoded(extract_examples)):
        pairs = zip([0, *path], path, strict=False)
        assert all(now not in inside or before in (now - 1, now) for before, now in pairs)


def test_a_crf_goes_on_after_a_kill_to_the_same_answers(
    encoder, extract_task, extract_examples, tmp_path
):
    approach, train = replace(encoder(epochs=3), crf=True), extract_examples[:24]
    whole = approach.fit(extract_task, train, (), seed=0, context=Context())

    def report(step, total, loss):
        if step == 5 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            raise KeyboardInterrupt

    context = Context(work=tmp_path, report=report, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        approach.fit(extract_task, train, (), seed=0, context=context)
    again = approach.fit(extract_task, train, (), seed=0, context=context)
    for name, tensor in again.engine.model.state_dict().items():
        assert torch.equal(tensor, whole.engine.model.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["classify", "pair", "grade"])
def test_a_crf_without_tags_is_refused(kind, request):
    task = request.getfixturevalue(f"{kind}_task")
    with pytest.raises(ImpossibleError, match=f"a CRF needs tags of words, and kind {kind} has"):
        Encoder(crf=True).check(task)
    Encoder().check(task)


def test_a_crf_that_is_left_out_does_not_count_in_the_fingerprint():
    """What decides a cell without a chain is the same as if there were no such option."""
    training = TrainingSpec(epochs=5)
    fields = {"model": "all-minilm-l6-v2", "training": training, "precision": "auto"}
    assert (
        fingerprint(Encoder())
        == fingerprint(Encoder(crf=False))
        == fingerprint({"encoder@5": fields})
        != fingerprint(Encoder(crf=True))
    )


def test_number_formats_have_fingerprints_of_their_own():
    formats = ["auto", "bfloat16", "float32"]
    assert len({fingerprint(Encoder(precision=each)) for each in formats}) == 3


def test_tables_tell_a_crf_apart():
    assert (Encoder().label(), Encoder(crf=True).label()) == ("encoder", "encoder, CRF")


def test_the_best_epoch_is_kept_by_validation(encoder, classify_task, classify_examples):
    train, valid = classify_examples[:40], classify_examples[40:]
    predictor = encoder(epochs=3).fit(classify_task, train, valid, seed=0, context=Context())
    assert predictor.notes["best_epoch"] in (1, 2, 3)


def test_a_batch_gives_what_each_text_gives_alone(encoder, extract_task, extract_examples):
    approach = encoder("float32")
    predictor = approach.fit(extract_task, extract_examples[:8], (), seed=0, context=Context())
    engine, items = predictor.engine, predictor.items(extract_examples[:8])
    together = engine.scores(items)
    for item, scores in zip(items, together, strict=True):
        assert torch.allclose(engine.scores([item])[0], scores, atol=1e-6)
        assert scores.shape == (len(item.words), 5)
    each = torch.stack([engine.loss([item]) for item in items])
    words = torch.tensor([float(len(item.words)) for item in items])
    assert torch.isclose(engine.loss(items), (each * words).sum() / words.sum(), atol=1e-5)


def test_words_are_places_in_the_text(encoder, extract_task):
    predictor = encoder()._predictor(extract_task, seed=0)
    (item,) = predictor.engine.encode([("Zoë's method, of 2019.",)])
    text = "Zoë's method, of 2019."
    assert [text[s:e] for s, e in item.words] == [
        "Zoë", "'", "s", "method", ",", "of", "2019", ".",
    ]  # fmt: skip


def test_long_texts_are_cut_to_the_context_around_what_is_marked(
    encoder, classify_task, classify_examples
):
    data = replace(classify_task.data, marks=("<<", ">>"))
    predictor = encoder()._predictor(replace(classify_task, data=data), seed=0)
    long = Example("a", ("method " * 300 + "<< result >> " + "method " * 300,))
    (window,) = predictor._windows([long])
    (item,) = predictor.engine.encode([window.example.texts])
    assert "<< result >>" in window.example.texts[0]
    assert predictor.engine.context * 0.8 < len(item.ids) <= predictor.engine.context
    assert predictor.num_cut([long, *classify_examples[:3]]) == 1
    assert len(predictor.predict([long]).answers) == 1


def test_entities_of_long_texts_are_found_in_windows(encoder, extract_task, extract_examples):
    text = " ".join(e.texts[0] for e in extract_examples[:30])
    entities, at = [], 0
    for example in extract_examples[:30]:
        found = read_entities(example.answer)
        entities += [entity(text, e.start + at, e.end + at, e.type) for e in found]
        at += len(example.texts[0]) + 1
    long = Example("long", (text,), write_entities(entities))
    predictor = encoder(epochs=30).fit(
        extract_task, [long, *extract_examples], (), seed=0, context=Context()
    )
    assert predictor.num_cut([long, *extract_examples]) == 1
    (answer,) = predictor.predict([long]).answers
    places = [e.start for e in read_entities(answer)]
    scores = metrics_of(extract_task).score(Predictions([answer]), [long.answer])
    assert scores["micro_f1"] > 0.8
    assert max(places) > 0.9 * len(text)


def test_the_second_text_of_a_pair_has_no_words_of_its_own(encoder, pair_task):
    (item,) = encoder()._predictor(pair_task, seed=0).engine.encode([("one text", "another")])
    assert len(item.words) == 2
    assert set(item.types) == {0, 1}


def test_damaged_weights_are_refused(encoder, classify_task, classify_examples, tmp_path):
    approach = encoder()
    predictor = approach.fit(classify_task, classify_examples[:16], (), seed=0, context=Context())
    predictor.save(tmp_path)
    path = tmp_path / "encoder.safetensors"
    tensors = load_file(path)
    del tensors["head.bias"]
    save_file(tensors, path)
    with pytest.raises(StoreError, match=r"damaged weights .*encoder\.safetensors"):
        approach.load(classify_task, tmp_path, context=Context())
    path.write_bytes(b"{}")
    with pytest.raises(StoreError, match=r"damaged weights .*encoder\.safetensors"):
        approach.load(classify_task, tmp_path, context=Context())


def test_a_study_of_entities_has_folds_with_equal_shares(extract_task, extract_examples, tmp_path):
    path = tmp_path / "mixed.jsonl"
    rows = []
    for example in extract_examples:
        found = [[e.start, e.end, e.type] for e in read_entities(str(example.answer))]
        rows.append({"text": example.texts[0], "entities": found})
    rows += [{"text": f"nothing here {i}", "entities": []} for i in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    task = {
        "name": "words",
        "kind": "extract",
        "instruction": "List names and years.",
        "labels": {"Name": "", "Year": ""},
        "data": {"train": str(path), "columns": {"answer": "entities"}},
    }
    study = {
        "name": "s",
        "task": task,
        "protocol": {"split": "kfold", "folds": 4},
        "approaches": ["encoder"],
    }
    plan = make_plan(build_study(study, where="test", beside=tmp_path))
    empty = [sum(e.answer == "[]" for e in plan.examples.take(cell.test)) for cell in plan.cells]
    assert len(plan.cells) == 4
    assert max(empty) - min(empty) <= 1


@pytest.mark.parametrize(
    ("sort", "options", "kind"),
    [
        (Encoder, {}, "classify"),
        (Encoder, {}, "sets"),
        (Encoder, {}, "extract"),
        (Encoder, {"crf": True}, "extract"),
        (BiEncoder, {}, "pair"),
    ],
)
def test_loss_and_gradients_are_those_of_one_padded_batch(
    sort, options, kind, tiny_encoder, request, monkeypatch
):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    approach = sort(model=str(tiny_encoder), precision="float32", **options)
    predictor = approach._predictor(task, seed=0)
    engine, batch = predictor.engine, predictor.items(examples[:12])

    def loss_and_gradients():
        engine.model.zero_grad()
        loss = engine.loss(batch)
        loss.backward()
        found = [p.grad.flatten().clone() for p in engine.model.parameters() if p.grad is not None]
        return loss.detach(), torch.cat(found)

    assert engine._rows.is_packed
    packed = loss_and_gradients()
    engine._rows.is_packed = False
    lengths = [len(ids) for ids, _ in engine.texts(batch)]
    monkeypatch.setitem(PASS, "cpu", 1)
    assert len(divided(lengths)) > 2
    in_parts = loss_and_gradients()
    monkeypatch.setitem(PASS, "cpu", 10**6)
    assert len(divided(lengths)) == 1
    whole = loss_and_gradients()
    assert engine.num_cells(batch) > sum(lengths)
    for found in (packed, in_parts):
        for ours, theirs in zip(found, whole, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
