import copy

import pytest
import torch

from textune.engine import plain
from textune.engine.causal import CausalEngine
from textune.engine.forecast import kept_bytes
from textune.methods.base import REGISTRY
from textune.methods.full import Full
from textune.methods.lora import LoRA
from textune.methods.qlora import QLoRA
from textune.models import row_wise
from textune.models.lean import make_lean
from textune.models.lean_layer import FAMILIES, LeanLayer
from textune.models.recompute import recomputing
from textune.testing import (
    check_same_gradients,
    gradients,
    moved,
    tiny_items,
    tiny_model,
    tiny_quantised_model,
)

NAMES = [name.lower() for name in FAMILIES]
IDS = torch.tensor([[5, 9, 11, 3, 60]])


def lean_model(family="llama", dtype=torch.float32, **shape):
    model = tiny_model(family, **shape).to(dtype)
    make_lean(model)
    return model


def layers(model):
    return [module for module in model.modules() if isinstance(module, LeanLayer)]


def one_by_one(model):
    """A copy whose layers run as their family does, part by part."""
    changed = copy.deepcopy(model)
    for layer in layers(changed):
        layer.__class__ = type(layer).__mro__[2]
    assert not layers(changed)
    return changed


def num_planned(model, dtype=torch.float32):
    return sum(layer._plan(dtype) is not None for layer in layers(model))


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize("method", [LoRA(), LoRA(targets=("q_proj", "v_proj", "down_proj"))])
@pytest.mark.parametrize("family", NAMES)
def test_loss_and_every_gradient_are_those_of_the_parts(family, method, is_compiled, monkeypatch):
    adapted = moved(method.apply(lean_model(family), []))
    parts = one_by_one(adapted)
    assert num_planned(adapted) == len(layers(adapted)) > 0
    losses = [CausalEngine(parts.get_base_model()).answer_loss(tiny_items())]
    theirs = gradients(parts, losses[0])
    if not is_compiled:
        monkeypatch.setattr(row_wise, "kernels_for", lambda *tensors: None)
    losses += [CausalEngine(adapted.get_base_model()).answer_loss(tiny_items())]
    torch.testing.assert_close(losses[1], losses[0], atol=1e-6, rtol=1e-6)
    check_same_gradients(gradients(adapted, losses[1]), theirs)


@pytest.mark.parametrize("family", NAMES)
def test_a_bf16_layer_rounds_as_its_parts_do(family):
    model = moved(LoRA().apply(lean_model(family, torch.bfloat16), []))
    assert num_planned(model, torch.bfloat16) > 0
    for each in (model, model.get_base_model()):
        assert torch.equal(each(input_ids=IDS).logits, one_by_one(each)(input_ids=IDS).logits)


@pytest.mark.parametrize("name", ["prompt_tuning", "p_tuning", "prefix"])
def test_what_trains_before_a_frozen_model_gets_its_gradients(name):
    method, found = REGISTRY.get(name)(), []
    for change in (lambda model: model, one_by_one):
        torch.manual_seed(0)
        model = change(lean_model())
        adapted = method.apply(model, [])
        found.append(gradients(adapted, method.engine(model, adapted).answer_loss(tiny_items())))
        assert num_planned(model) == len(layers(model))
    check_same_gradients(*found)


def test_weights_in_4_bits_are_planned_in_training_alone():
    model = tiny_quantised_model("llama")
    make_lean(model)
    adapted = moved(QLoRA().apply(model, []))
    parts = one_by_one(adapted)
    assert num_planned(adapted) == len(layers(adapted)) > 0
    losses = [CausalEngine(m.get_base_model()).answer_loss(tiny_items()) for m in (adapted, parts)]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-6, rtol=1e-6)
    check_same_gradients(
        *(gradients(m, loss) for m, loss in zip((adapted, parts), losses, strict=True))
    )
    with torch.no_grad():
        assert num_planned(adapted) == 0


def test_a_layer_that_is_run_again_gives_the_same_gradients():
    adapted = moved(LoRA().apply(lean_model(), []))
    engine, found = CausalEngine(adapted.get_base_model()), []
    found.append(gradients(adapted, engine.answer_loss(tiny_items())))
    adapted.train()
    with recomputing(adapted.get_base_model()):
        found.append(gradients(adapted, engine.answer_loss(tiny_items())))
    check_same_gradients(*found)


@pytest.mark.parametrize("name", ["lora", "prompt_tuning"])
def test_a_layer_keeps_no_more_than_its_parts(name):
    method, kept = REGISTRY.get(name)(), []
    for change in (lambda model: model, one_by_one):
        model = change(lean_model())
        engine = method.engine(model, method.apply(model, []))
        kept.append(kept_bytes(lambda e=engine: e.answer_loss(tiny_items()), model))
    assert 0 < kept[0] <= kept[1]


@pytest.mark.parametrize("name", ["full", "bitfit", "ln_tuning", "ia3", "adapter", "adalora"])
def test_what_is_more_than_plain_lora_is_left_to_the_parts(name):
    method = REGISTRY.get(name)()
    model = lean_model("qwen2")
    adapted = moved(method.apply(model, []))
    assert num_planned(model) == 0
    parts = one_by_one(model) if name == "full" else one_by_one(adapted)
    assert torch.equal(adapted(input_ids=IDS).logits, parts(input_ids=IDS).logits)


def test_whoever_watches_a_part_is_told():
    model = lean_model()
    engine, seen = CausalEngine(model), []
    attention = layers(model)[0].self_attn
    hook = attention.o_proj.register_forward_hook(lambda *_: seen.append("hook"))
    engine.answer_loss(tiny_items())
    hook.remove()
    attention.forward = lambda *args, **kw: (
        seen.append("put"),
        type(attention).forward(attention, *args, **kw),
    )[1]
    engine.answer_loss(tiny_items())
    assert seen == ["hook", "put"]


def test_adapters_that_are_switched_off_are_left_out():
    adapted = moved(LoRA().apply(lean_model(), []))
    before = adapted(input_ids=IDS).logits
    with adapted.disable_adapter():
        off = adapted(input_ids=IDS).logits
    assert torch.equal(off, lean_model()(input_ids=IDS).logits)
    assert not torch.allclose(off, before, atol=1e-3)


def test_many_rows_and_remembered_keys_are_left_to_the_parts():
    model = lean_model()
    alone = model(input_ids=IDS, use_cache=False).logits
    torch.testing.assert_close(model(input_ids=IDS.repeat(2, 1)).logits[:1], alone)
    torch.testing.assert_close(model(input_ids=IDS, use_cache=True).logits, alone)


def test_a_window_hides_what_lies_before_it():
    model = lean_model("mistral", sliding_window=3)
    items = tiny_items()
    ours = CausalEngine(model).answer_loss(items)
    model.set_attn_implementation("eager")
    torch.testing.assert_close(ours, plain.answer_loss(model, items), atol=1e-5, rtol=1e-5)


def test_full_fine_tuning_still_trains_norms():
    model = lean_model()
    found = []
    for each in (model, one_by_one(model)):
        adapted = Full().apply(each, [])
        found.append(gradients(adapted, CausalEngine(each).answer_loss(tiny_items())))
    assert any("norm" in name for name in found[0])
    check_same_gradients(*found)
