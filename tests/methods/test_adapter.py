import json

import pytest
import torch
from peft import PeftConfig, PeftModel
from safetensors.torch import load_file

from textune.core.errors import ConfigError, StoreError
from textune.methods.adapter import Adapter
from textune.models.bottleneck import BottleneckConfig
from textune.models.load import checksum
from textune.testing import ARCHITECTURES, check_method, tiny_model

STYLES = ("houlsby", "pfeiffer", "parallel")
IDS = torch.tensor([[5, 6, 7]])


def moved(method, model, *, seed=0):
    """Adapted, and away from the start, where an adapter adds nothing."""
    adapted = method.apply(model, [])
    draw = torch.Generator().manual_seed(seed)
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data = torch.randn(parameter.shape, generator=draw)
    return adapted


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("style", ["houlsby", "parallel"])  # the third is tested as the default
def test_every_style_keeps_the_promises_of_a_method(style, architecture):
    check_method(Adapter(style=style, activation="silu"), tiny_model(architecture))


@pytest.mark.parametrize(
    ("style", "reduction", "expected"),
    [
        ("pfeiffer", 16, 2 * (2 * 2 * 32 + 32 + 2)),  # adapters x (2 m D + D + m)
        ("parallel", 16, 2 * (2 * 2 * 32 + 32 + 2)),
        ("houlsby", 16, 4 * (2 * 2 * 32 + 32 + 2)),
        ("pfeiffer", 4, 2 * (2 * 8 * 32 + 32 + 8)),
        ("pfeiffer", 1000, 2 * (2 * 1 * 32 + 32 + 1)),
    ],
)
def test_the_number_of_trained_parameters_is_that_of_the_paper(style, reduction, expected):
    adapted = Adapter(style=style, reduction=reduction).apply(tiny_model("llama"), [])
    assert adapted.get_nb_trainable_parameters()[0] == expected


@pytest.mark.parametrize(("style", "source"), [("pfeiffer", "output"), ("parallel", "input")])
def test_an_adapter_adds_to_the_feed_forward_layer_what_it_makes_of_its_place(style, source):
    adapted = moved(Adapter(style=style, scale=4.0), tiny_model("llama"))
    layer = adapted.get_base_model().model.layers[0].mlp
    adapter = layer.bottleneck_adapters["default"]
    x = torch.randn(1, 3, 32)
    plain = layer.base_layer(x)
    read = plain if source == "output" else x
    added = adapter.up(torch.relu(adapter.down(read)))
    torch.testing.assert_close(layer(x), plain + 4 * added)


def test_houlsby_adapters_stand_after_attention_too():
    adapted = moved(Adapter(style="houlsby"), tiny_model("llama"))
    layers = adapted.get_base_model().model.layers
    assert all(hasattr(layer.self_attn, "bottleneck_adapters") for layer in layers)
    assert all(hasattr(layer.mlp, "bottleneck_adapters") for layer in layers)


@pytest.mark.parametrize("style", STYLES)
def test_peft_alone_loads_what_was_saved(style, tmp_path):
    adapted = moved(Adapter(style=style, activation="gelu"), tiny_model("llama"))
    Adapter(style=style).save(adapted, tmp_path)
    config = PeftConfig.from_pretrained(tmp_path)
    assert isinstance(config, BottleneckConfig)
    assert (config.activation, config.parallel) == ("gelu", style == "parallel")
    assert config.inference_mode
    loaded = PeftModel.from_pretrained(tiny_model("llama"), tmp_path)
    torch.testing.assert_close(logits(loaded), logits(adapted))
    assert not any(p.requires_grad for p in loaded.parameters())


def test_only_adapters_are_saved(tmp_path):
    adapted = moved(Adapter(), tiny_model("llama"))
    Adapter().save(adapted, tmp_path)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert sum(t.numel() for t in tensors.values()) == adapted.get_nb_trainable_parameters()[0]
    assert json.loads((tmp_path / "adapter_config.json").read_text())["reduction"] == 16


def test_release_restores_the_base_bit_for_bit():
    model = tiny_model("llama")
    before, modules = checksum(model), dict(model.named_modules())
    adapted = moved(Adapter(style="houlsby"), model)
    assert dict(model.named_modules()).keys() != modules.keys()
    Adapter().release(adapted)
    assert dict(model.named_modules()) == modules
    assert checksum(model) == before


def test_an_adapter_can_be_switched_off_and_a_second_one_put_in():
    model = tiny_model("llama")
    base = logits(model)
    adapted = moved(Adapter(), model)
    first = logits(adapted)
    with adapted.disable_adapter():
        torch.testing.assert_close(logits(adapted), base)
    adapted.add_adapter("other", Adapter(style="parallel").config([]))
    torch.testing.assert_close(logits(adapted), first)
    adapted.set_adapter("other")
    torch.testing.assert_close(logits(adapted), base)


def test_an_adapter_of_a_wider_model_is_refused(tmp_path):
    Adapter().save(Adapter().apply(tiny_model("llama", hidden_size=64), []), tmp_path)
    with pytest.raises(StoreError, match="damaged adapter"):
        Adapter().load(tiny_model("llama"), tmp_path)


def test_a_reduction_below_one_is_a_mistake():
    with pytest.raises(ConfigError, match="reduction cannot be 0"):
        Adapter(reduction=0)
