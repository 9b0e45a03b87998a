"""Our butterfly layers against the dense ones of ``peft``."""

import copy

import pytest
import torch
from peft import get_peft_model
from peft.tuners.boft import layer as original

from textune.engine import plain
from textune.methods.boft import BOFT
from textune.models.butterfly import Butterfly, linear_widths
from textune.testing import tiny_items, tiny_model
from textune.testing.paths import gradients


class Extension:
    """What the compiled extension of ``peft`` computes on the way there."""

    def forward(self, blocks):
        return [torch.stack([torch.block_diag(*each) for each in blocks])]

    def backward(self, gradient, blocks):
        width = blocks.shape[-1]
        starts = range(0, gradient.shape[-1], width)
        parts = [gradient[:, s : s + width, s : s + width] for s in starts]
        return [torch.stack(parts, dim=1)]


@pytest.mark.parametrize("factors", [1, 2, 3])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])  # without and with biases
def test_loss_gradients_and_merged_weights_are_those_of_the_originals(
    architecture, factors, monkeypatch
):
    method, model = BOFT(factors=factors), tiny_model(architecture)
    base = copy.deepcopy(model)
    ours = method.apply(model, [])
    monkeypatch.setattr(original, "_FBD_CUDA", Extension())
    theirs = get_peft_model(base, method.config([]), autocast_adapter_dtype=False)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        if one.requires_grad:
            one.data += 0.1 * torch.randn_like(one)
            other.data.copy_(one.data)
    found, expected = (plain.answer_loss(m, tiny_items()) for m in (ours, theirs))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    gradient = gradients(theirs, expected)
    for name, tensor in gradients(ours, found).items():
        torch.testing.assert_close(tensor, gradient[name], atol=1e-5, rtol=1e-3, msg=name)
    weights = dict(theirs.merge_and_unload().named_parameters())
    for name, tensor in ours.merge_and_unload().named_parameters():
        torch.testing.assert_close(tensor, weights[name], atol=1e-5, rtol=1e-4, msg=name)


def test_places_are_kept_instead_of_matrices():
    adapted = BOFT(factors=2).apply(tiny_model("llama"), [])
    layers = [m for m in adapted.modules() if isinstance(m, Butterfly)]
    assert len(layers) == 2 * 7
    assert {layer.boft_P.dim() for layer in layers} == {2}


def test_widths_are_of_all_linear_layers_but_the_vocabulary():
    widths = linear_widths(tiny_model("llama"))
    assert len(widths) == 2 * 7
    assert widths["model.layers.1.mlp.down_proj"] == 48
