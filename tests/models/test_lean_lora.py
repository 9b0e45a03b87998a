import copy

import pytest
import torch
from peft.tuners.lora.bnb import Linear4bit
from peft.tuners.lora.layer import Linear

from textune.engine import plain
from textune.engine.forecast import kept_bytes
from textune.methods.lora import LoRA
from textune.methods.qlora import QLoRA
from textune.models.lean_lora import LeanLora, LeanLoraLinear, only_adapter
from textune.testing import (
    check_same_gradients,
    gradients,
    tiny_items,
    tiny_model,
    tiny_quantised_model,
)


def adapted_pair(method, dtype=torch.float32):
    """The same adapted model twice, with lean layers and with those of peft."""
    torch.manual_seed(0)
    packed = method.quantisation == "nf4"
    model = tiny_quantised_model("llama") if packed else tiny_model("llama").to(dtype)
    lean = method.apply(model, [])
    for name, parameter in lean.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    original = copy.deepcopy(lean)
    for module in layers(original):
        module.__class__ = Linear if isinstance(module, LeanLoraLinear) else Linear4bit
    return lean, original


def num_lean(model, dtype=torch.float32):
    return sum(bool(only_adapter(m, dtype) and m.frozen(dtype)) for m in layers(model))


def layers(model):
    return [m for m in model.modules() if isinstance(m, LeanLora)]


@pytest.mark.parametrize("method", [LoRA(), QLoRA()])
def test_loss_and_every_gradient_are_those_of_peft(method):
    lean, original = adapted_pair(method)
    assert num_lean(lean) == len(layers(lean)) > 0
    losses = [plain.answer_loss(m, tiny_items()) for m in (lean, original)]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-6, rtol=1e-6)
    check_same_gradients(gradients(lean, losses[0]), gradients(original, losses[1]))


def test_weights_in_4_bits_are_not_kept_unpacked_for_the_way_back():
    wide = {"hidden_size": 64, "intermediate_size": 128, "head_dim": 16}
    packed = QLoRA().apply(tiny_quantised_model("llama"), [])
    plain_one = LoRA().apply(tiny_model("llama", **wide), [])
    kept = [
        kept_bytes(lambda model=model: plain.answer_loss(model, tiny_items()), model)
        for model in (packed, plain_one)
    ]
    assert kept[0] == kept[1] > 0


def test_weights_in_4_bits_are_left_to_bitsandbytes_where_nothing_trains():
    lean, original = adapted_pair(QLoRA())
    ids = torch.tensor([[5, 9, 11, 3, 60]])
    with torch.no_grad():
        assert num_lean(lean) == 0
        assert torch.equal(lean(input_ids=ids).logits, original(input_ids=ids).logits)


def test_a_bf16_model_gives_the_same_logits_but_for_rounding():
    lean, original = adapted_pair(LoRA(), torch.bfloat16)
    ids = torch.tensor([[5, 9, 11, 3, 60]])
    ours, theirs = lean(input_ids=ids).logits.float(), original(input_ids=ids).logits.float()
    assert (ours - theirs).norm() / theirs.norm() < 0.02


@pytest.mark.parametrize("method", [LoRA(dropout=0.1), LoRA(dora=True), LoRA(init="pissa")])
def test_what_is_more_than_plain_lora_is_computed_as_peft_does(method):
    lean, original = adapted_pair(method)
    assert num_lean(lean) == 0
    lean.eval(), original.eval()
    ids = torch.tensor([[5, 9, 11, 3, 60]])
    assert torch.equal(lean(input_ids=ids).logits, original(input_ids=ids).logits)


def test_switched_off_or_merged_adapters_are_left_out():
    lean, original = adapted_pair(LoRA())
    ids = torch.tensor([[5, 9, 11, 3, 60]])
    with lean.disable_adapter(), original.disable_adapter():
        assert torch.equal(lean(input_ids=ids).logits, original(input_ids=ids).logits)
    before = lean(input_ids=ids).logits
    lean.merge_adapter()
    assert num_lean(lean) == 0
    torch.testing.assert_close(lean(input_ids=ids).logits, before, atol=1e-5, rtol=1e-4)


def test_a_loaded_adapter_is_lean_too(tmp_path):
    lean, _ = adapted_pair(LoRA())
    LoRA().save(lean, tmp_path)
    again = LoRA().load(tiny_model("llama"), tmp_path)
    assert num_lean(again) == len(layers(lean))


def neighbours(model):
    """Queries, keys and values of one layer."""
    attention = next(module for module in model.modules() if hasattr(module, "q_proj"))
    return [attention.q_proj, attention.k_proj, attention.v_proj]


def said_by(model, calls):
    """What layers say of inputs, asked in this order, and gradients where there are any."""
    outs = [neighbours(model)[at](x) for at, x in calls]
    model.zero_grad()
    sum((out * out).sum() for out in outs).backward()
    return outs, {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1,), (0, 0, 1), (0, 1, 1, 2)])
@pytest.mark.parametrize("is_same", [True, False])
def test_layers_that_read_the_same_say_what_each_says_alone(order, is_same):
    lean, _ = adapted_pair(LoRA())
    maker = torch.Generator().manual_seed(0)
    inputs = [torch.randn(2, 5, 32, generator=maker) for _ in order]
    calls = [(at, inputs[0] if is_same else x) for at, x in zip(order, inputs, strict=True)]
    together = said_by(lean, calls)
    for layer in layers(lean):
        layer.together = None
    alone = said_by(lean, calls)
    for ours, theirs in zip(together[0], alone[0], strict=True):
        torch.testing.assert_close(ours, theirs)
    assert together[1].keys() >= alone[1].keys()
    for name, gradient in together[1].items():
        expected = alone[1].get(name, torch.zeros_like(gradient))
        torch.testing.assert_close(gradient, expected)


def test_what_was_not_asked_for_is_forgotten_with_the_next_input():
    lean, _ = adapted_pair(LoRA())
    first, *others = neighbours(lean)
    x, y = torch.randn(1, 3, 32), torch.randn(1, 3, 32)
    first(x)
    with torch.no_grad():
        first.lora_A["default"].weight.mul_(2)
    torch.testing.assert_close(others[0](y), Linear.forward(others[0], y))
    torch.testing.assert_close(first(y), Linear.forward(first, y))


def test_a_neighbour_that_is_more_than_plain_lora_is_left_out():
    lean, _ = adapted_pair(LoRA())
    first, second, third = neighbours(lean)
    second.lora_dropout["default"] = torch.nn.Dropout(0.5)
    lean.eval()
    x = torch.randn(1, 3, 32)
    for layer in (first, second, third):
        torch.testing.assert_close(layer(x), Linear.forward(layer, x))
