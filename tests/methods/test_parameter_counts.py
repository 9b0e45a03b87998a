"""Trainable parameters of real sizes, on models without weights."""

import functools
from contextlib import nullcontext

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from textune.engine.forecast import weightless_layers
from textune.methods.base import REGISTRY
from textune.methods.boft import BOFT
from textune.models.architecture import Architecture

SIZES = {
    "llama-7b": ("llama", 4096, 11008, 32, 32, 32),
    "llama-65b": ("llama", 8192, 22016, 80, 64, 64),
    "mistral-7b": ("mistral", 4096, 14336, 32, 32, 8),
    "llama-2-70b": ("llama", 8192, 28672, 80, 64, 8),
}
ALL = "all-linear"
QV = ("q_proj", "v_proj")
QKVO = ("q_proj", "k_proj", "v_proj", "o_proj")


@functools.cache
def weightless(size):
    architecture, width, unit, layers, heads, groups = SIZES[size]
    config = AutoConfig.for_model(
        architecture,
        vocab_size=32000,
        hidden_size=width,
        intermediate_size=unit,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=groups,
    )
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config).requires_grad_(False)


def trainable(name, size, **options):
    method, model = REGISTRY.get(name)(**options), weightless(size)
    with torch.device("meta"):
        adapted = method.apply(model, [])
    count = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    method.release(adapted)
    return count


@pytest.mark.parametrize(
    ("size", "rank", "targets", "expected"),
    [
        ("llama-7b", 8, QV, 4_194_304),
        ("llama-7b", 16, QKVO, 16_777_216),
        ("llama-7b", 64, ALL, 159_907_840),
        ("llama-65b", 8, QV, 20_971_520),
        ("mistral-7b", 64, ALL, 167_772_160),
        ("mistral-7b", 8, QV, 3_407_872),
        ("llama-2-70b", 64, ALL, 828_375_040),
    ],
)
def test_lora_trains_as_many_parameters_as_published(size, rank, targets, expected):
    assert trainable("lora", size, rank=rank, targets=targets) == expected
    assert trainable("qlora", size, rank=rank, targets=targets) == expected


@pytest.mark.parametrize(("size", "expected"), [("llama-7b", 614_400), ("mistral-7b", 524_288)])
def test_ia3_trains_as_many_parameters_as_published(size, expected):
    assert trainable("ia3", size) == expected


@pytest.mark.parametrize(
    ("size", "expected"), [("llama-7b", 5_242_880), ("mistral-7b", 1_310_720)]
)
def test_prefixes_without_projection_train_as_many_parameters_as_published(size, expected):
    assert trainable("p_tuning_v2", size, tokens=20) == expected


@pytest.mark.parametrize("size", ["llama-7b", "mistral-7b"])
def test_prompt_tuning_trains_an_embedding_for_each_virtual_token(size):
    assert trainable("prompt_tuning", size, tokens=20) == 81_920


def test_dora_adds_a_length_for_every_output():
    extra = trainable("lora", "llama-7b", dora=True) - trainable("lora", "llama-7b")
    assert extra == 32 * (5 * 4096 + 2 * 11008)


def test_vera_trains_two_vectors_in_every_layer():
    expected = 32 * (5 * 4096 + 2 * 11008 + 7 * 1024)
    assert trainable("vera", "llama-7b", rank=1024) == expected


def test_ln_tuning_trains_the_scales_of_all_norms():
    assert trainable("ln_tuning", "llama-7b") == (2 * 32 + 1) * 4096


def test_oft_trains_half_of_every_block():
    blocks = 32 * (6 * 4096 + 11008) // 32
    assert trainable("oft", "llama-7b", block_size=32) == blocks * 32 * 31 // 2


SMOLLM2_135M = {
    "model_type": "llama",
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}


def counts(method, model):
    """Trained and all parameters."""
    with weightless_layers(torch.float32) if model.device.type == "meta" else nullcontext():
        adapted = method.apply(model, [])
    sizes = [(p.numel(), p.requires_grad) for p in adapted.parameters()]
    return sum(n for n, trains in sizes if trains), sum(n for n, _ in sizes)


@pytest.mark.parametrize("name", sorted(set(REGISTRY.names()) - {"boft"}))
def test_the_listed_share_is_what_trains_of_smollm2(name):
    cls = REGISTRY.get(name)
    trained, total = counts(cls(), Architecture(SMOLLM2_135M).weightless("float32"))
    assert cls.trained_share == float(f"{trained / total:.3g}")


def test_the_listed_share_of_boft_too():
    """Its permutations are computed from numbers, which the meta device has not."""
    content = {**SMOLLM2_135M, "num_hidden_layers": 1, "vocab_size": 64}
    model = AutoModelForCausalLM.from_config(Architecture(content).config)
    trained, _ = counts(BOFT(), model)
    whole = sum(p.numel() for p in Architecture(SMOLLM2_135M).weightless("float32").parameters())
    share = 30 * trained / (whole + 30 * trained)
    assert BOFT.trained_share == float(f"{share:.3g}")
