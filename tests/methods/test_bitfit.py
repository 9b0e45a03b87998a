import json

import pytest
import torch
from safetensors.torch import load_file

from textune.core.errors import ImpossibleError, StoreError
from textune.methods.bitfit import BitFit
from textune.models.load import checksum
from textune.testing import tiny_model

ADDED = 2 * (32 + 16 + 16 + 32 + 48 + 48 + 32)  # layers x (q, k, v, o, gate, up, down)
OWN = 2 * (32 + 16 + 16)  # Qwen2 has biases on q, k and v alone


def num_trained(adapted):
    return sum(p.numel() for p in adapted.parameters() if p.requires_grad)


@pytest.mark.parametrize(("architecture", "expected"), [("llama", ADDED), ("qwen2", OWN)])
def test_biases_are_trained_where_there_are_some_and_added_where_there_are_none(
    architecture, expected
):
    adapted = BitFit().apply(tiny_model(architecture), [])
    names = [name for name, p in adapted.named_parameters() if p.requires_grad]
    assert all(name.endswith(".bias") for name in names)
    assert num_trained(adapted) == expected


def test_the_vocabulary_projection_gets_no_bias():
    adapted = BitFit().apply(tiny_model("llama"), [])
    assert adapted.model.lm_head.bias is None


def test_a_model_without_biases_is_refused_where_none_may_be_added():
    with pytest.raises(ImpossibleError, match="llama: it has no biases"):
        BitFit(add=False).apply(tiny_model("llama"), [])
    assert num_trained(BitFit(add=False).apply(tiny_model("qwen2"), [])) == OWN


def test_a_new_head_trains_in_full():
    adapted = BitFit().apply(tiny_model("llama"), ["lm_head"])
    assert num_trained(adapted) == ADDED + 64 * 32


def test_only_the_biases_are_saved_with_a_description(tmp_path):
    adapted = BitFit().apply(tiny_model("llama"), [])
    BitFit().save(adapted, tmp_path / "adapter")
    tensors = load_file(tmp_path / "adapter" / "weights.safetensors")
    assert sum(t.numel() for t in tensors.values()) == ADDED
    assert "model.layers.1.mlp.down_proj.bias" in tensors
    description = json.loads((tmp_path / "adapter" / "method.json").read_text())
    assert description == {"bitfit": {"add": True}}


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_release_gives_back_the_very_parameters_of_the_base(architecture):
    model = tiny_model(architecture)
    before, owned = checksum(model), dict(model.named_parameters())
    adapted = BitFit().apply(model, [])
    for parameter in adapted.trained().values():
        parameter.data += 1
    assert checksum(model) != before
    BitFit().release(adapted)
    after = dict(model.named_parameters())
    assert after.keys() == owned.keys()
    assert all(after[name] is parameter for name, parameter in owned.items())
    assert not any(parameter.requires_grad for parameter in after.values())
    assert checksum(model) == before


def test_biases_of_another_model_are_refused_and_leave_the_base_alone(tmp_path):
    BitFit().save(BitFit().apply(tiny_model("llama"), []), tmp_path)
    wider = tiny_model("llama", intermediate_size=64)
    before = checksum(wider)
    with pytest.raises(StoreError, match=r"gate_proj.bias has the shape \(48,\)"):
        BitFit().load(wider, tmp_path)
    assert checksum(wider) == before
    with pytest.raises(StoreError, match="bias is missing"):
        BitFit().load(tiny_model("llama", num_hidden_layers=3), tmp_path)
    with pytest.raises(StoreError, match=r"weights\.safetensors"):
        BitFit().load(tiny_model("llama", num_hidden_layers=1), tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "weights.safetensors").write_bytes(b"short")
    with pytest.raises(StoreError, match=r"damaged weights .*weights\.safetensors"):
        BitFit().load(tiny_model("llama"), tmp_path)


def test_biases_take_the_number_format_of_the_model():
    adapted = BitFit().apply(tiny_model("llama").bfloat16(), [])
    assert {p.dtype for p in adapted.trained().values()} == {torch.bfloat16}
