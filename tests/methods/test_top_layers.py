import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from textune.core.errors import ConfigError, ImpossibleError
from textune.methods.top_layers import TopLayers
from textune.models.load import checksum
from textune.testing import tiny_model

LAYER = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48 + 2 * 32  # q and o, k and v, feed-forward, norms
NORM = 32


def trained_names(method, model):
    return {n for n, p in method.apply(model, []).model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (TopLayers(layers=1), LAYER + NORM),
        (TopLayers(layers=1, final_norm=False), LAYER),
        (TopLayers(layers=2), 2 * LAYER + NORM),
        (TopLayers(layers=6), 6 * LAYER + NORM),
        (TopLayers(), 2 * LAYER + NORM),
    ],
)
def test_the_number_of_layers_decides_what_trains(method, expected):
    adapted = method.apply(tiny_model("llama", num_hidden_layers=6), [])
    assert sum(p.numel() for p in adapted.parameters() if p.requires_grad) == expected


@pytest.mark.parametrize(("layers", "quarter"), [(1, 1), (4, 1), (5, 2), (8, 2)])
def test_auto_is_a_quarter_of_the_layers_and_at_least_one(layers, quarter):
    model = tiny_model("llama", num_hidden_layers=layers)
    names = trained_names(TopLayers(final_norm=False), model)
    expected = {str(layer) for layer in range(layers - quarter, layers)}
    assert {name.split(".")[2] for name in names} == expected


def test_layers_below_take_no_gradient():
    adapted = TopLayers(layers=1).apply(tiny_model("llama"), [])
    ids = torch.tensor([[5, 6, 7]])
    adapted(input_ids=ids, labels=ids).loss.backward()
    with_gradient = {n for n, p in adapted.model.named_parameters() if p.grad is not None}
    assert with_gradient == set(adapted.trained())
    assert not any(name.startswith("model.layers.0.") for name in with_gradient)


def test_only_the_layers_that_train_are_saved(tmp_path):
    method = TopLayers(layers=1)
    method.save(method.apply(tiny_model("llama"), []), tmp_path)
    tensors = load_file(tmp_path / "weights.safetensors")
    assert sum(t.numel() for t in tensors.values()) == LAYER + NORM


def test_release_restores_the_base_bit_for_bit():
    model = tiny_model("llama")
    before = checksum(model)
    adapted = TopLayers().apply(model, [])
    for parameter in adapted.trained().values():
        parameter.data += 1
    assert checksum(model) != before
    TopLayers().release(adapted)
    assert checksum(model) == before


def test_more_layers_than_the_model_has_are_impossible():
    with pytest.raises(ImpossibleError, match="cannot train 3 layers: the model has 2"):
        TopLayers(layers=3).apply(tiny_model("llama"), [])


def test_a_decoder_of_another_build_is_refused():
    with pytest.raises(ImpossibleError, match="cannot find the layers of gpt2"):
        TopLayers().apply(tiny_model("gpt2"), [])


def test_fewer_than_one_layer_is_a_mistake():
    with pytest.raises(ConfigError, match="layers cannot be 0"):
        TopLayers(layers=0)


def test_merged_it_is_a_folder_that_transformers_loads(tmp_path):
    ids = torch.tensor([[5, 6, 7]])
    adapted = TopLayers().apply(tiny_model("llama"), [])
    for parameter in adapted.trained().values():
        parameter.data *= 1.5
    expected = adapted(input_ids=ids).logits
    merged = TopLayers().merge(adapted)
    TopLayers().release(adapted)  # has nothing to take out any more
    merged.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded(input_ids=ids).logits, expected)
