from dataclasses import replace

import pytest

from textune.approaches.base import Context, Parts
from textune.approaches.bi_encoder import BiEncoder
from textune.approaches.encoder import Encoder
from textune.cost.meter import meter
from textune.models.architecture import Drafts
from textune.training.settings import TrainingSpec


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize(
    ("sort", "options", "kind"),
    [
        (Encoder, {}, "classify"),
        (Encoder, {}, "pair"),
        (Encoder, {}, "extract"),
        (Encoder, {"crf": True}, "extract"),
        (BiEncoder, {}, "pair"),
    ],
)
def test_operations_and_weights_are_those_that_are_counted(
    sort, options, kind, precision, tiny_encoder, request
):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    training = TrainingSpec(epochs=1, batch_size=8, lr=1e-3)
    approach = sort(model=str(tiny_encoder), training=training, precision=precision, **options)
    train, test = examples[:30], examples[30:]
    expected = approach.forecast(task, Parts(train, (), test), Drafts())
    with meter() as fitting:
        predictor = approach.fit(task, train, (), seed=0, context=Context())
    with meter() as predicting:
        predictor.predict(test)
    assert expected.trainable_params == expected.total_params == predictor.total_params
    assert expected.predict_flops == pytest.approx(predicting.usage.flops)
    assert expected.fit_flops == pytest.approx(fitting.usage.flops, rel=0.02)
    weights = predictor.engine.model.parameters()
    assert expected.weight_bytes == sum(p.numel() * p.element_size() for p in weights)
    assert expected.precision == predictor.engine.precision == precision
    assert expected.kept_bytes > 0


def test_a_library_encoder_is_planned_before_it_is_fetched(
    classify_task, classify_examples, monkeypatch, tmp_path
):
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path))
    parts = Parts(classify_examples[:30], (), classify_examples[30:])
    demand = Encoder(precision="float32").forecast(classify_task, parts, Drafts())
    assert demand.total_params == 22_713_216 + 385 * len(classify_task.labels)
    letters = sum(len(e.texts[0]) for e in classify_examples[:30])
    dense = demand.total_params - 30522 * 384
    tokens = demand.fit_flops / (6 * dense * 5)  # five epochs
    assert letters / 4 < tokens < letters / 4 + 30 * 4 + 2 * 32  # marks, and what fills rows up
    assert not list(tmp_path.iterdir())


def test_bf16_halves_the_encoders_weights_and_adds_masters(
    tiny_encoder, classify_task, classify_examples
):
    def forecast(precision):
        approach = Encoder(
            model=str(tiny_encoder),
            training=TrainingSpec(epochs=1, batch_size=8),
            precision=precision,
        )
        parts = Parts(classify_examples[:30], (), classify_examples[30:])
        return approach.forecast(classify_task, parts, Drafts())

    half, whole = forecast("bfloat16"), forecast("float32")
    head = 33 * len(classify_task.labels)
    encoder = whole.total_params - head
    assert whole.weight_bytes == 4 * (encoder + head)
    assert half.weight_bytes == 2 * encoder + 4 * head
    assert whole.state_bytes == 12 * (encoder + head)
    assert half.state_bytes == 14 * encoder + 12 * head  # bf16 is updated at once
    assert half.kept_bytes < whole.kept_bytes
    assert half.fit_flops == whole.fit_flops


def test_validation_is_counted_and_keeps_a_copy(tiny_encoder, classify_task, classify_examples):
    approach = Encoder(
        model=str(tiny_encoder), training=TrainingSpec(epochs=2, batch_size=8, lr=1e-3)
    )
    train, valid, test = classify_examples[:30], classify_examples[30:40], classify_examples[40:]
    without = approach.forecast(classify_task, Parts(train, (), test), Drafts())
    with_valid = approach.forecast(classify_task, Parts(train, valid, test), Drafts())
    assert with_valid.fit_flops > without.fit_flops
    assert with_valid.state_bytes == without.state_bytes + 4 * without.trainable_params
    often = TrainingSpec(epochs=1, min_steps=8, batch_size=8, lr=1e-3)
    parts = Parts(train, valid, test)
    assert replace(approach, training=often).forecast(classify_task, parts, Drafts()) == with_valid
