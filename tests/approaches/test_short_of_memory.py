import numpy as np
import pytest

from textune.approaches.base import Context
from textune.approaches.tuned import Tuned
from textune.cost.demand import PROCESS_BYTES, SPARING_HOLES
from textune.methods.base import REGISTRY
from textune.training.settings import TrainingSpec

NOTHING_LEFT = PROCESS_BYTES + SPARING_HOLES["cpu"]
"""Bytes with which a fit has no room for anything."""


@pytest.mark.parametrize("objective", ["labels", "answer"])
@pytest.mark.parametrize("name", ["lora", "full", "p_tuning_v2"])
def test_a_fit_with_little_memory_gives_the_answers_of_one_with_plenty(
    name, objective, tiny_folder, classify_task, classify_examples
):
    approach = Tuned(
        method=REGISTRY.get(name)(),
        model=str(tiny_folder),
        precision="float32",
        training=TrainingSpec(epochs=2, batch_size=8, objective=objective),
    )
    train, test = classify_examples[:16], classify_examples[16:]
    said, notes = [], []
    for context in (Context(), Context(memory=NOTHING_LEFT)):
        predictor = approach.fit(classify_task, train, [], seed=0, context=context)
        said.append(predictor.predict(test))
        notes.append(predictor.notes)
        predictor.close()
    plenty, little = notes
    assert "micro_batches" not in plenty
    assert (little["micro_batches"], little["recomputed"]) == (8, "yes")
    assert little["train_loss_last_epoch"] == pytest.approx(
        plenty["train_loss_last_epoch"], rel=1e-4
    )
    np.testing.assert_allclose(said[1].scores, said[0].scores, atol=1e-3)
