import pytest

from textune.approaches.base import Context, Parts
from textune.approaches.bi_encoder import BiEncoder
from textune.approaches.encoder import Encoder
from textune.cost.meter import meter
from textune.models.architecture import Drafts
from textune.training.settings import TrainingSpec


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
def test_operations_and_parameters_are_those_that_are_counted(
    sort, options, kind, tiny_encoder, request
):
    task, examples = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "examples"))
    training = TrainingSpec(epochs=1, batch_size=8, lr=1e-3)
    approach = sort(model=str(tiny_encoder), training=training, **options)
    train, test = examples[:30], examples[30:]
    expected = approach.forecast(task, Parts(train, (), test), Drafts())
    with meter() as fitting:
        predictor = approach.fit(task, train, (), seed=0, context=Context())
    with meter() as predicting:
        predictor.predict(test)
    assert expected.trainable_params == expected.total_params == predictor.total_params
    assert expected.predict_flops == pytest.approx(predicting.usage.flops)
    assert expected.fit_flops == pytest.approx(fitting.usage.flops, rel=0.02)
    assert expected.precision == "float32"
    assert expected.kept_bytes > 0


def test_validation_is_counted_and_keeps_a_copy(tiny_encoder, classify_task, classify_examples):
    approach = Encoder(
        model=str(tiny_encoder), training=TrainingSpec(epochs=2, batch_size=8, lr=1e-3)
    )
    train, valid, test = classify_examples[:30], classify_examples[30:40], classify_examples[40:]
    without = approach.forecast(classify_task, Parts(train, (), test), Drafts())
    with_valid = approach.forecast(classify_task, Parts(train, valid, test), Drafts())
    assert with_valid.fit_flops > without.fit_flops
    assert with_valid.state_bytes == without.state_bytes * 4 / 3
