import pytest
from safetensors.torch import load_file, save_file

from textune.approaches.base import Context
from textune.approaches.contrastive import Contrastive
from textune.approaches.nearest import Nearest
from textune.core.errors import ConfigError, DataError, ImpossibleError, StoreError
from textune.testing import check_approach
from textune.training.objective import main_score
from textune.training.settings import TrainingSpec


@pytest.fixture
def contrastive(tiny_encoder):
    def make(*, pairs=40, **training):
        settings = TrainingSpec(**{"epochs": 1, "batch_size": 8, "lr": 3e-3, **training})
        return Contrastive(model=str(tiny_encoder), pairs=pairs, training=settings)

    return make


def test_it_keeps_the_promises(contrastive, classify_task, classify_examples):
    check_approach(contrastive(), classify_task, classify_examples)


@pytest.mark.parametrize("num_labels", [2, 13])
def test_it_keeps_the_promises_with_few_labels_and_many(num_labels, contrastive, planted):
    check_approach(contrastive(), *planted("classify", num_labels))


def test_it_learns_what_its_encoder_did_not_know(contrastive, tiny_encoder, planted):
    task, examples = planted("classify", 13, size=130)
    train, test = examples[:52], examples[52:]
    predictor = contrastive(pairs=300).fit(task, train, (), seed=0, context=Context())
    untrained = Nearest(model=str(tiny_encoder), strength=1.0)
    before = untrained.fit(task, train, (), seed=0, context=Context())
    after = main_score(predictor.predict(test), task, test)
    assert after > max(0.9, main_score(before.predict(test), task, test))


def test_parameters_are_those_of_encoder_and_regression(
    contrastive, classify_task, classify_examples
):
    approach = contrastive()
    predictor = approach.fit(classify_task, classify_examples, (), seed=0, context=Context())
    regression = 3 * 32 + 3
    assert predictor.total_params == predictor.loaded.num_params + regression
    assert predictor.trainable_params == predictor.total_params
    assert predictor.notes["pairs"] == 40


def test_the_best_epoch_is_kept_by_validation(contrastive, classify_task, classify_examples):
    train, valid = classify_examples[:40], classify_examples[40:]
    approach = contrastive(epochs=3)
    predictor = approach.fit(classify_task, train, valid, seed=0, context=Context())
    assert predictor.notes["best_epoch"] in (1, 2, 3)


def test_it_goes_on_after_a_kill_to_the_same_answers(
    contrastive, classify_task, classify_examples, tmp_path
):
    approach, train, test = contrastive(), classify_examples[:30], classify_examples[30:]
    whole = approach.fit(classify_task, train, (), seed=0, context=Context())

    def report(step, total, loss):
        if step == 4 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            raise KeyboardInterrupt

    context = Context(work=tmp_path, report=report, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        approach.fit(classify_task, train, (), seed=0, context=context)
    again = approach.fit(classify_task, train, (), seed=0, context=context)
    assert again.predict(test).scores.tolist() == whole.predict(test).scores.tolist()


@pytest.mark.parametrize("name", ["encoder.safetensors", "linear.safetensors"])
def test_damaged_files_are_refused(name, contrastive, classify_task, classify_examples, tmp_path):
    approach = contrastive()
    predictor = approach.fit(classify_task, classify_examples, (), seed=0, context=Context())
    predictor.save(tmp_path)
    tensors = load_file(tmp_path / name)
    del tensors[sorted(tensors)[0]]
    save_file(tensors, tmp_path / name)
    with pytest.raises(StoreError, match=rf"damaged .*{name}"):
        approach.load(classify_task, tmp_path, context=Context())


def test_examples_of_one_label_are_refused(contrastive, classify_task, classify_examples):
    one = [e for e in classify_examples if e.answer == "method"]
    with pytest.raises(DataError, match="only the label 'method'"):
        contrastive().fit(classify_task, one, (), seed=0, context=Context())


@pytest.mark.parametrize("kind", ["pair", "grade", "extract"])
def test_other_kinds_are_refused(kind, request):
    with pytest.raises(ImpossibleError, match=f"contrastive cannot do tasks of kind {kind}"):
        Contrastive().check(request.getfixturevalue(f"{kind}_task"))


@pytest.mark.parametrize(("option", "value"), [("pairs", 0), ("strength", -1.0)])
def test_impossible_options_are_refused(option, value):
    with pytest.raises(ConfigError, match=f"{option} cannot be {value}"):
        Contrastive(**{option: value})
