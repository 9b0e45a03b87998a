import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from textune.approaches.base import Context
from textune.approaches.tuned import Tuned
from textune.bundles.bundle import save_bundle
from textune.bundles.export import compare_export, export_model
from textune.core.errors import ImpossibleError, StoreError
from textune.methods.lora import LoRA
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
