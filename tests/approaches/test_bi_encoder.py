import pytest
import torch
from safetensors.torch import load_file, save_file

from textune.approaches.base import Context
from textune.approaches.bi_encoder import BiEncoder
from textune.approaches.nearest import Nearest
from textune.core.errors import ImpossibleError, StoreError
from textune.data.examples import Example
from textune.models.linear import fit_for
from textune.testing import check_approach
from textune.training.objective import main_score
from textune.training.settings import TrainingSpec


@pytest.fixture
def bi_encoder(tiny_encoder):
    def make(precision="auto", **training):
        settings = TrainingSpec(**{"epochs": 1, "batch_size": 8, "lr": 3e-3, **training})
        return BiEncoder(model=str(tiny_encoder), training=settings, precision=precision)

    return make


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize("kind", ["pair", "grade"])
def test_it_keeps_the_promises_on_kinds_with_two_texts(kind, precision, bi_encoder, request):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    check_approach(bi_encoder(precision), task, examples)


@pytest.mark.parametrize("num_labels", [2, 13])
def test_it_keeps_the_promises_with_few_labels_and_many(num_labels, bi_encoder, planted):
    check_approach(bi_encoder(), *planted("pair", num_labels))


def test_it_learns_what_both_texts_say_together(bi_encoder, planted):
    task, examples = planted("pair", 2, size=120)
    train, test = examples[:80], examples[80:]
    predictor = bi_encoder(epochs=20).fit(task, train, (), seed=0, context=Context())
    assert main_score(predictor.predict(test), task, test) > 0.8


def test_a_pair_gives_in_a_batch_what_it_gives_alone(bi_encoder, pair_task, pair_examples):
    engine = (predictor := bi_encoder("float32")._predictor(pair_task, seed=0)).engine
    items = predictor.items(pair_examples[:8])
    for item, scores in zip(items, engine.scores(items), strict=True):
        torch.testing.assert_close(engine.scores([item])[0], scores)
    losses = torch.stack([engine.loss([item]) for item in items])
    torch.testing.assert_close(engine.loss(items), losses.mean())


def test_the_layer_reads_both_means_their_difference_and_their_product(bi_encoder, pair_task):
    predictor = bi_encoder("float32")._predictor(pair_task, seed=0)
    model, tokenizer = predictor.engine.model, predictor.engine.tokenizer
    texts = ("how do I learn to swim", "what is the best way to learn swimming")
    with torch.no_grad():
        u, v = (
            torch.nn.functional.normalize(mean, dim=0)
            for mean in (
                model.encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0)
                for text in texts
            )
        )
        expected = model.head(torch.cat([u, v, (u - v).abs(), u * v])).softmax(-1).double()
    said = predictor.predict([Example("a", texts)])
    torch.testing.assert_close(torch.tensor(said.scores[0]), expected, atol=1e-6, rtol=1e-5)


def test_training_sets_out_from_the_regression_on_the_frozen_encoder(
    bi_encoder, tiny_encoder, pair_task, pair_examples
):
    train, test = pair_examples[:30], pair_examples[30:]
    predictor = bi_encoder("float32")._predictor(pair_task, seed=0)
    read, tested = (predictor.engine.described(predictor.encoded(part)) for part in (train, test))
    predictor.prepare(train, seed=0)
    frozen = Nearest(model=str(tiny_encoder)).fit(pair_task, train, (), seed=0, context=Context())
    assert read == pytest.approx(frozen.features(train), abs=1e-5)
    regression = fit_for(pair_task, read, train, strength="auto", seed=0)
    expected = regression.scores(tested)
    assert predictor.predict(test).scores == pytest.approx(expected, abs=1e-4)


def test_each_text_has_the_context_for_itself(bi_encoder, pair_task):
    predictor = bi_encoder()._predictor(pair_task, seed=0)
    room, short = predictor.engine.context, "how do I learn"
    nearly = "a " * (room - 10)
    assert predictor.num_cut([Example("a", (nearly, nearly))]) == 0
    long = Example("b", ("learn " * 2 * room, short))
    assert predictor.num_cut([long]) == 1
    cut = predictor.cut(long)
    assert cut.texts[1] == short
    assert 0.8 * room < predictor.length(cut) <= room
    assert len(predictor.predict([long]).answers) == 1


def test_it_goes_on_after_a_kill_to_the_same_answers(
    bi_encoder, pair_task, pair_examples, tmp_path
):
    approach, train, test = bi_encoder(epochs=3), pair_examples[:30], pair_examples[30:]
    whole = approach.fit(pair_task, train, (), seed=0, context=Context())

    def report(step, total, loss):
        if step == 6 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            raise KeyboardInterrupt

    context = Context(work=tmp_path, report=report, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        approach.fit(pair_task, train, (), seed=0, context=context)
    again = approach.fit(pair_task, train, (), seed=0, context=context)
    assert again.predict(test).scores.tolist() == whole.predict(test).scores.tolist()


def test_damaged_weights_are_refused(bi_encoder, pair_task, pair_examples, tmp_path):
    approach = bi_encoder()
    approach.fit(pair_task, pair_examples[:16], (), seed=0, context=Context()).save(tmp_path)
    path = tmp_path / "encoder.safetensors"
    tensors = load_file(path)
    tensors["head.weight"] = tensors["head.weight"][:, :-1].contiguous()
    save_file(tensors, path)
    with pytest.raises(StoreError, match=r"damaged weights .*encoder\.safetensors"):
        approach.load(pair_task, tmp_path, context=Context())


@pytest.mark.parametrize("kind", ["classify", "multilabel", "extract"])
def test_kinds_with_one_text_are_refused(kind, request):
    fixture = "sets_task" if kind == "multilabel" else f"{kind}_task"
    with pytest.raises(ImpossibleError, match=f"bi_encoder cannot do tasks of kind {kind}"):
        BiEncoder().check(request.getfixturevalue(fixture))
