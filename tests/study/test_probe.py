import json

import pytest

from textune.core.errors import ImpossibleError, ModelError
from textune.methods.base import REGISTRY
from textune.methods.full import Full
from textune.models.fetch import cache_folder
from textune.study import probe
from textune.testing import tiny_model_folder


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    return str(tiny_model_folder(tmp_path / "model", ["some text"]))


def answers():
    return sorted((cache_folder() / "probes").glob("*.json"))


@pytest.mark.parametrize("name", ["lora", "qlora", "prompt_tuning", "prefix", "full", "boft"])
def test_a_method_that_works_passes(name, model):
    probe.check(REGISTRY.get(name)(), model)
    (answer,) = answers()
    assert json.loads(answer.read_text()) == {"refused": None}


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        (
            "lora",
            {"targets": ("nowhere",)},
            r"lora does not .*llama: Target modules.*nowhere",
        ),
        ("top_layers", {"layers": 3}, "cannot train 3 layers: the model has 2"),
        ("bitfit", {"add": False}, "it has no biases"),
        ("boft", {"block_size": 10}, "cannot divide the 64 inputs"),
    ],
)
def test_what_does_not_work_is_refused_in_one_line(name, options, why, model):
    for _ in range(2):  # asked, then remembered
        with pytest.raises(ImpossibleError, match=why) as caught:
            probe.check(REGISTRY.get(name)(**options), model)
        assert "\n" not in caught.value.message
        assert caught.value.hint
    assert len(answers()) == 1


@pytest.mark.parametrize("error", [ValueError, KeyError])
def test_an_error_of_another_library_becomes_one_line(error, model, monkeypatch):
    def fail(*_):
        raise error("odd sizes\nand more")

    monkeypatch.setattr(Full, "apply", fail)
    with pytest.raises(
        ImpossibleError, match=r"full does not work on llama: .*odd sizes"
    ) as caught:
        probe.check(Full(), model)
    assert len(caught.value.message.splitlines()) == 1


def test_an_answer_is_remembered(model, monkeypatch):
    probe.check(REGISTRY.get("ia3")(), model)
    monkeypatch.setattr(probe, "_tried", lambda *_: pytest.fail("asked again"))
    probe.check(REGISTRY.get("ia3")(), model)


@pytest.mark.parametrize("change", ["options", "model", "versions", "damage"])
def test_another_question_is_asked_anew(change, model, monkeypatch, tmp_path):
    method = REGISTRY.get("lora")(rank=4)
    probe.check(method, model)
    asked = []
    monkeypatch.setattr(probe, "_tried", lambda *_: asked.append(1))
    if change == "options":
        method = REGISTRY.get("lora")(rank=8)
    elif change == "model":
        model = str(tiny_model_folder(tmp_path / "other", ["text"], architecture="qwen2"))
    elif change == "versions":
        monkeypatch.setattr(probe, "version", lambda name: f"{name} of tomorrow")
    else:
        answers()[0].write_text("{")
    probe.check(method, model)
    assert asked


def test_class_variables_are_believed_without_a_try(model, monkeypatch):
    monkeypatch.setattr(Full, "quantisation", "nf4")
    with pytest.raises(ImpossibleError, match="full asks for a base in 4 bits"):
        probe.check(Full(), model)
    assert not answers()


def test_what_fails_on_the_smallest_model_alone_is_no_failure(model):
    probe.check(REGISTRY.get("top_layers")(layers=2), model)
    probe.check(REGISTRY.get("lora")(rank=64, init="pissa"), model)


def test_a_cache_that_cannot_be_written_is_no_failure(model, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "file"))
    probe.check(REGISTRY.get("ia3")(), model)


def test_a_model_that_nobody_knows_is_refused(model, tmp_path):
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps({"model_type": "nope"}))
    with pytest.raises(ModelError, match="unknown architecture"):
        probe.check(REGISTRY.get("lora")(), model)
