import copy

import pytest
import torch

from textune.engine import plain
from textune.methods.lora import LoRA
from textune.models.lean import make_lean
from textune.models.lean_parts import LeanNorm, LeanUnit
from textune.testing import ARCHITECTURES, check_same_gradients, gradients, tiny_items, tiny_model


def lean_copy(model):
    changed = copy.deepcopy(model)
    make_lean(changed)
    return changed


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "smollm3", "granite"])
def test_loss_and_every_gradient_are_those_of_the_originals(architecture):
    model = tiny_model(architecture).requires_grad_(True)
    lean = lean_copy(model)
    losses = [plain.answer_loss(m, tiny_items()) for m in (model, lean)]
    torch.testing.assert_close(losses[1], losses[0], atol=1e-6, rtol=1e-6)
    check_same_gradients(gradients(lean, losses[1]), gradients(model, losses[0]))


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_layers_of_known_families_are_lean_and_others_stay(architecture):
    lean = lean_copy(tiny_model(architecture))
    kinds = {type(m).__name__: type(m) for m in lean.modules()}
    assert sum(issubclass(kind, LeanNorm) for kind in kinds.values()) == 1
    assert sum(issubclass(kind, LeanUnit) for kind in kinds.values()) == 1
    gemma = lean_copy(tiny_model("gemma3_text"))
    assert not any(isinstance(m, LeanNorm | LeanUnit) for m in gemma.modules())


def test_a_lean_bf16_model_gives_the_same_logits_bit_for_bit():
    model = tiny_model("llama").to(torch.bfloat16)
    ids = torch.tensor([[5, 9, 11, 3, 60]])
    assert torch.equal(lean_copy(model)(ids).logits, model(ids).logits)


def test_adapted_lean_layers_keep_less_for_the_way_back():
    kept = []
    original = tiny_model("llama").to(torch.bfloat16)
    for model in (lean_copy(original), original):
        adapted, seen = LoRA().apply(model, []), {}

        def note(tensor, seen=seen):
            seen[tensor.untyped_storage().data_ptr()] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            plain.answer_loss(adapted, tiny_items())
        kept.append(sum(t.untyped_storage().nbytes() for t in seen.values()))
    assert kept[0] < 0.9 * kept[1]
