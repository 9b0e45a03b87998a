import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from textune.approaches.base import Context
from textune.approaches.tuned import Tuned
from textune.bundles.bundle import describe_bundle, save_bundle
from textune.bundles.export import compare_export, export_lora, export_model
from textune.core.errors import ImpossibleError, StoreError
from textune.methods.adalora import AdaLoRA
from textune.methods.full import Full
from textune.methods.ln_tuning import LNTuning
from textune.methods.loha import LoHa
from textune.methods.lora import LoRA
from textune.methods.oft import OFT
from textune.methods.prompt_tuning import PromptTuning
from textune.methods.qlora import QLoRA
from textune.tasks.dataset import load_dataset
from textune.testing import tiny_model_folder
from textune.training.settings import TrainingSpec


@pytest.fixture
def tuned_bundle(moods: Path, task):
    """Fits a bundle with a method on a tiny model."""
    rows = load_dataset(task).train.rows
    base = tiny_model_folder(moods / "tiny", [*(r.texts[0] for r in rows), *task.labels])

    def fit(method):
        approach = Tuned(
            method=method,
            model=str(base),
            precision="float32",
            training=TrainingSpec(epochs=2, batch_size=4, lr=5e-3),
        )
        predictor = approach.fit(task, rows, (), seed=0, context=Context())
        save_bundle(moods / "bundle", task, approach, predictor)
        predictor.close()
        return moods / "bundle"

    return fit


def test_the_exported_model_answers_as_the_bundle(moods, task, tuned_bundle):
    bundle = tuned_bundle(LoRA())
    export_model(bundle, moods / "model")
    found = compare_export(bundle, moods / "model", load_dataset(task).train.rows)
    assert found.same == 1.0
    assert found.before == found.after
    model = AutoModelForCausalLM.from_pretrained(moods / "model")
    assert type(model).__name__ == "LlamaForCausalLM"
    assert len(AutoTokenizer.from_pretrained(moods / "model")) > 0
    prompt = json.loads((moods / "model" / "prompt.json").read_text())
    assert set(prompt) == {"before", "after", "labels"}


def test_an_adapter_on_a_4_bit_base_is_folded_into_the_full_base(moods, task, tuned_bundle):
    bundle = tuned_bundle(QLoRA())
    export_model(bundle, moods / "model")
    config = json.loads((moods / "model" / "config.json").read_text())
    assert "quantization_config" not in config
    found = compare_export(bundle, moods / "model", load_dataset(task).train.rows)
    assert found.examples == len(load_dataset(task).train.rows)
    assert 0 <= found.same <= 1


def test_what_cannot_be_folded_is_refused_and_nothing_is_left(moods, folder, tuned_bundle):
    with pytest.raises(ImpossibleError, match="tfidf has no language model"):
        export_model(folder, moods / "model")
    with pytest.raises(ImpossibleError, match="prompt_tuning learns"):
        export_model(tuned_bundle(PromptTuning()), moods / "model")
    assert not (moods / "model").exists()


def test_an_existing_folder_is_left_alone(moods, folder):
    (moods / "model").mkdir()
    with pytest.raises(StoreError, match="is there already"):
        export_model(folder, moods / "model")


@pytest.mark.parametrize(
    ("method", "rank"),
    [
        (LoRA(rank=4), 4),
        (AdaLoRA(rank=4, start_rank=6), 6),
        (LoHa(rank=3), 9),
        (OFT(), 64),
    ],
    ids=str,
)
def test_a_change_of_linear_layers_becomes_a_lora_that_answers_as_the_bundle(
    moods, task, tuned_bundle, method, rank
):
    bundle = tuned_bundle(method)
    assert export_lora(bundle, moods / "lora", rank) == pytest.approx(1, abs=1e-4)
    found = compare_export(bundle, moods / "lora", load_dataset(task).train.rows)
    assert found.same == 1.0
    assert found.before == found.after
    config = json.loads((moods / "lora" / "adapter" / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA"
    _, approach = describe_bundle(moods / "lora")
    assert approach.tuning == LoRA(rank=rank, alpha=rank)


def test_a_lower_rank_keeps_less_of_the_change(moods, tuned_bundle):
    bundle = tuned_bundle(LoRA(rank=16))
    kept = [export_lora(bundle, moods / f"lora{rank}", rank) for rank in (1, 4, 16)]
    assert kept == sorted(kept)
    assert 0 < kept[0] < 0.99
    assert kept[2] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("method", "changed"),
    [(LNTuning(), "norm"), (Full(), "embed_tokens")],
    ids=str,
)
def test_a_change_of_something_else_is_no_lora(moods, tuned_bundle, method, changed):
    with pytest.raises(ImpossibleError, match=f"tuning changed .*{changed}") as raised:
        export_lora(tuned_bundle(method), moods / "lora", 4)
    assert "leave out --lora" in raised.value.hint
    assert not (moods / "lora").exists()
