import copy

import pytest
import torch
from peft.tuners.lora.layer import Linear

from textune.engine import plain
from textune.methods.lora import LoRA
from textune.models.lean_lora import LeanLoraLinear
from textune.testing import gradients, tiny_items, tiny_model


def adapted_pair(method, dtype=torch.float32):
    """The same adapted model twice, with lean layers and with those of peft."""
    torch.manual_seed(0)
    lean = method.apply(tiny_model("llama").to(dtype), [])
    for name, parameter in lean.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    original = copy.deepcopy(lean)
    for module in original.modules():
        if isinstance(module, LeanLoraLinear):
            module.__class__ = Linear
    return lean, original


def num_lean(model):
    return sum(m._only_adapter(torch.zeros(1)) is not None for m in layers(model))


def layers(model):
    return [m for m in model.modules() if isinstance(m, LeanLoraLinear)]


def test_loss_and_every_gradient_are_those_of_peft():
    lean, original = adapted_pair(LoRA())
    assert num_lean(lean) == len(layers(lean)) > 0
    losses = [plain.answer_loss(m, tiny_items()) for m in (lean, original)]
    torch.testing.assert_close(losses[0], losses[1], atol=1e-6, rtol=1e-6)
    ours, theirs = (gradients(m, loss) for m, loss in zip((lean, original), losses, strict=True))
    assert set(ours) == set(theirs)
    for name, gradient in theirs.items():
        error = (ours[name] - gradient).norm() / gradient.norm().clamp_min(1e-6)
        assert error < 1e-4, f"{name}: {error:.2e}"


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
