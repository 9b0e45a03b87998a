"""The loss of a real model, step by step, by packed rows and by the plain path."""

import pytest
import torch

from textune.engine import plain
from textune.engine.causal import CausalEngine
from textune.engine.packing import Item
from textune.methods.lora import LoRA
from textune.models.catalog import find_model
from textune.models.load import load_causal
from textune.prompts.tokens import make_prompter
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset
from textune.training.loop import Trainee, Watch, train
from textune.training.settings import TrainingSpec

CURVE = [8.6877, 2.7573, 1.2082, 0.2217, 2.23, 2.1313]
"""Nats an answer token: LoRA on SmolLM2-135M in fp32, six batches of two ``citation-sample``."""


@pytest.mark.parametrize("path", ["packed", "plain"])
def test_losses_of_a_real_model_go_the_way_they_always_went(path):
    loaded = load_causal(find_model("smollm2-135m-instruct"), "float32", "none")
    task = load_task("citation-sample")
    prompter = make_prompter(task, [], loaded.tokenizer, context=loaded.context)
    examples = load_dataset(task).train.rows[:12]
    items = [
        Item(prompt, (*prompter.answer(str(example.answer)), prompter.end))
        for example, prompt in zip(examples, prompter.prompts(examples), strict=True)
    ]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        adapted = LoRA(rank=16, alpha=32).apply(loaded.model, [])
    engine = CausalEngine(loaded.model)
    losses = {
        "packed": engine.answer_loss,
        "plain": lambda batch: plain.answer_loss(adapted, batch),
    }
    found = []
    watch = Watch(report=lambda *step: found.append(step[-1]))
    spec = TrainingSpec(epochs=1, batch_size=2, warmup_steps=1)
    train(Trainee(adapted, losses[path]), items, spec, lr=5e-4, seed=0, watch=watch)
    assert found == pytest.approx(CURVE, rel=2e-3)
