import functools
from dataclasses import replace

import pytest
import torch

from textune.engine.forecast import LONGEST
from textune.engine.packing import Item
from textune.methods.base import REGISTRY
from textune.models.architecture import Architecture, packed_parameters, weight_bytes
from textune.training import forecast
from textune.training import masters as masters_module
from textune.training.forecast import Course, largest_batch, tuning_demand
from textune.training.masters import Masters
from textune.training.settings import TrainingSpec

SPEC = TrainingSpec(epochs=2, batch_size=4)
SMALL = Architecture(
    {
        "model_type": "llama",
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "vocab_size": 1000,
    }
)


@functools.cache
def weightless():
    return SMALL.weightless("bfloat16")


def _passes(course):
    def loss(adapted, engine):
        return engine.answer_loss

    demand = tuning_demand(REGISTRY.get("qlora")(), weightless(), course, SPEC, loss)
    numbers = sum(p.numel() for p in packed_parameters(weightless()))
    assert demand.predict_unpacked == demand.predict_passes * numbers
    return demand.predict_passes


def course(num_examples, length, valid=0):
    prompts = [(*range(10), 100 + i, *[5] * (length - 11)) for i in range(num_examples)]
    items = [Item(prompt, (3, 2)) for prompt in prompts]
    return Course(items, prompts[:valid], prompts[:8], added=0)


def demand(name, examples=16, length=64, *, spec=SPEC, valid=0, **options):
    method = REGISTRY.get(name)(**options)

    def loss(adapted, engine):
        return engine.answer_loss

    return tuning_demand(method, weightless(), course(examples, length, valid), spec, loss)


@pytest.mark.parametrize("name", ["lora", "full", "qlora", "prompt_tuning"])
def test_work_grows_linearly_in_examples(name):
    one, two, four = (demand(name, examples) for examples in (16, 32, 64))
    for what in ("fit_flops", "fit_traffic", "unpacked", "launches"):
        first, second = (
            getattr(more, what) - getattr(less, what) for less, more in ((one, two), (two, four))
        )
        assert second == pytest.approx(2 * first, rel=1e-6), what
    assert one.kept_bytes == pytest.approx(four.kept_bytes, rel=0.02)


def test_what_a_step_keeps_grows_linearly_in_batches_and_epochs_do_not_matter():
    sizes = [demand("lora", 64, spec=TrainingSpec(batch_size=b)).kept_bytes for b in (8, 16, 32)]
    assert sizes[2] - sizes[1] == pytest.approx(2 * (sizes[1] - sizes[0]), rel=0.1)
    assert demand("lora", spec=TrainingSpec(epochs=9, batch_size=4)).kept_bytes == (
        demand("lora").kept_bytes
    )


def test_passes_that_make_enough_steps_are_counted_as_epochs():
    asked = TrainingSpec(epochs=1, batch_size=4, min_steps=9)
    three = TrainingSpec(epochs=3, batch_size=4)
    assert demand("lora", spec=asked, valid=4) == demand("lora", spec=three, valid=4)


@pytest.mark.parametrize(("is_compiled", "each"), [(True, 14), (False, 18)])
def test_state_is_what_the_masters_make(is_compiled, each, monkeypatch):
    from textune.testing import tiny_model

    for module in (forecast, masters_module) if not is_compiled else ():
        monkeypatch.setattr(module, "update_of", lambda parameter: None)
    model = tiny_model("llama").to(torch.bfloat16).requires_grad_(True)
    masters = Masters(model.parameters(), weight_decay=0.0)
    held = [p.grad for p in masters.parameters] + [m.grad for m in masters.masters]
    held += [*masters.masters]
    for state in masters.optimizer.state.values():
        held += [state["exp_avg"], state["exp_avg_sq"]]
    real = sum(t.numel() * t.element_size() for t in held if t is not None)
    full = demand("full")
    assert real == each * sum(p.numel() for p in model.parameters())
    assert full.state_bytes == each * full.trainable_params
    assert demand("full", valid=4).state_bytes == (each + 4) * full.trainable_params


def test_a_base_in_4_bits_weighs_less_and_is_unpacked_at_every_pass():
    plain, packed = demand("lora"), demand("qlora")
    few = packed_parameters(weightless())
    numbers = sum(p.numel() for p in few)
    assert plain.weight_bytes - packed.weight_bytes == pytest.approx(
        weight_bytes(weightless()) - weight_bytes(weightless(), few)
    )
    assert (plain.unpacked, packed.unpacked) == (0, 2 * 8 * numbers)
    assert (plain.predict_unpacked, packed.predict_unpacked) == (0, numbers)  # one row is asked
    assert plain.kept_bytes == packed.kept_bytes


def test_an_answer_that_is_written_reads_all_weights_for_every_token():
    shown = replace(course(16, 64), added=10)
    passes = [_passes(replace(shown, writes=writes)) for writes in (False, True)]
    assert passes == [1, 1 + 10 * LONGEST]


def test_methods_that_train_less_keep_less():
    kept = {n: demand(n).kept_bytes for n in ("full", "lora", "ia3", "prompt_tuning", "head_only")}
    assert kept["full"] > kept["ia3"] > kept["prompt_tuning"] > kept["head_only"] > 0


@pytest.mark.parametrize("name", ["full", "lora", "top_layers", "p_tuning_v2"])
def test_the_weightless_model_comes_back_as_it_was(name):
    before = [n for n, _ in weightless().named_parameters()]
    demand(name)
    assert [n for n, _ in weightless().named_parameters()] == before
    assert not any(p.requires_grad for p in weightless().parameters())


def test_the_largest_batch_holds_most_tokens():
    items = [Item(tuple(range(length)), (1,)) for length in (3, 9, 4, 8, 50, 2)]
    batch = largest_batch(items, TrainingSpec(batch_size=2), seed=0)
    assert len(batch) == 2
    assert max(len(item.prompt) for item in batch) == 50


def test_trials_add_their_work_and_no_memory():
    alone, inner = demand("lora", 64), demand("lora", 48)

    def loss(adapted, engine):
        return engine.answer_loss

    whole, trial = course(64, 64), course(48, 64)
    searched = tuning_demand(
        REGISTRY.get("lora")(), weightless(), whole, SPEC, loss, trial=trial, trials=3
    )
    for what in ("fit_flops", "fit_traffic"):
        of_trial = getattr(inner, what) + getattr(inner, what.replace("fit", "predict"))
        assert getattr(searched, what) == pytest.approx(getattr(alone, what) + 3 * of_trial), what
    assert searched.launches == alone.launches + 3 * inner.launches
    assert searched.predict_flops == alone.predict_flops
    assert searched.peak_bytes("cpu") == alone.peak_bytes("cpu")
