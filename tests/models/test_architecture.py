import functools
import json

import pytest
import torch

from textune.core.errors import ModelError
from textune.models.architecture import (
    Architecture,
    Drafts,
    find_architecture,
    find_tokenizer,
    packed_parameters,
    weight_bytes,
)
from textune.models.catalog import ModelSpec, find_model
from textune.models.rough_tokenizer import RoughTokenizer
from textune.testing import ARCHITECTURES, tiny_model_folder

SIZES = {
    "llama-7b": ("llama", 4096, 11008, 32, 32, 32, 6_738_415_616),
    "llama-65b": ("llama", 8192, 22016, 80, 64, 64, 65_285_660_672),
    "mistral-7b": ("mistral", 4096, 14336, 32, 32, 8, 7_241_732_096),
    "llama-2-70b": ("llama", 8192, 28672, 80, 64, 8, 68_976_648_192),
}


@functools.cache
def sized(name):
    kind, width, unit, layers, heads, groups, _ = SIZES[name]
    return Architecture(
        {
            "model_type": kind,
            "vocab_size": 32000,
            "hidden_size": width,
            "intermediate_size": unit,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": groups,
        }
    )


@pytest.mark.parametrize("name", SIZES)
def test_real_sizes_are_known_without_weights(name):
    model = sized(name).weightless("bfloat16")
    assert all(p.is_meta and not p.requires_grad for p in model.parameters())
    assert sum(p.numel() for p in model.parameters()) == SIZES[name][-1]
    assert weight_bytes(model) == 2 * SIZES[name][-1]


def test_llama_7b_in_4_bits_by_hand():
    model = sized("llama-7b").weightless("bfloat16")
    linear = 32 * (4 * 4096 * 4096 + 3 * 4096 * 11008)
    rest = 2 * 32000 * 4096 + (2 * 32 + 1) * 4096
    packed = packed_parameters(model)
    assert sum(p.numel() for p in packed) == linear
    assert weight_bytes(model, packed) == pytest.approx(linear * 4.127 / 8 + rest * 2, rel=1e-4)


def test_a_tied_vocabulary_counts_once():
    tied = Architecture({**sized("llama-7b").content, "tie_word_embeddings": True})
    assert weight_bytes(tied.weightless("float32")) == 4 * (6_738_415_616 - 32000 * 4096)


@pytest.mark.parametrize("name", [*ARCHITECTURES, "mixtral", "gpt2"])
def test_a_tiny_model_of_any_architecture_trains(name):
    model = Architecture({"model_type": name}).tiny().requires_grad_(True)
    assert model.config.model_type == name
    assert sum(p.numel() for p in model.parameters()) < 2_000_000
    loss = model(input_ids=torch.tensor([[5, 6, 7]])).logits.sum()
    loss.backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_tiny_model_has_every_kind_of_layer():
    kinds = ["sliding_attention"] * 5 + ["full_attention"]
    real = Architecture(
        {"model_type": "gemma3_text", "num_hidden_layers": 6, "layer_types": kinds}
    )
    assert real.tiny().config.layer_types == ["sliding_attention", "full_attention"]
    assert real.config.layer_types == kinds


def test_the_architecture_of_a_folder_needs_no_weights(tmp_path):
    folder = tiny_model_folder(tmp_path, ["some text"])
    (folder / "model.safetensors").unlink()
    spec = ModelSpec(name="tiny", folder=str(folder))
    found = find_architecture(spec)
    assert (found.model_type, found.num_layers) == ("llama", 2)
    tokenizer = find_tokenizer(spec)
    assert tokenizer(["some text"])["input_ids"]
    assert spec.most_tokens(found.config, tokenizer) == 1024


def test_the_library_model_is_known_before_it_is_fetched(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path))
    spec = find_model("smollm2-135m-instruct")
    model = find_architecture(spec).weightless("bfloat16")
    assert sum(p.numel() for p in model.parameters()) == 134_515_008
    assert isinstance(find_tokenizer(spec), RoughTokenizer)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_a_weightless_encoder_has_the_format_that_is_asked_for(precision):
    model = Architecture({"model_type": "bert"}).weightless_encoder(precision)
    assert all(p.is_meta and not p.requires_grad for p in model.parameters())
    assert {p.dtype for p in model.parameters()} == {getattr(torch, precision)}
    assert weight_bytes(model) == 109_482_240 * (2 if precision == "bfloat16" else 4)


@pytest.mark.parametrize(
    ("name", "num_params"),
    [("all-minilm-l6-v2", 22_713_216), ("all-mpnet-base-v2", 109_486_464)],
)
def test_the_library_encoders_are_known_before_they_are_fetched(
    name, num_params, monkeypatch, tmp_path
):
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path))
    draft = Drafts().of(name, form="encoder")
    model = draft.architecture.weightless_encoder("float32")
    assert sum(p.numel() for p in model.parameters()) == num_params
    assert draft.context == find_model(name, form="encoder").context
    assert not list(tmp_path.iterdir())


def test_rough_tokens_of_a_pair_know_their_text_and_word():
    (encoding,) = RoughTokenizer()(["two words"], ["one"]).encodings
    assert encoding.ids[0] == 1
    assert encoding.ids.count(2) == 2
    assert encoding.type_ids == [0, 0, 0, 0, 0, 1, 1]
    assert encoding.word_ids == [None, 0, 1, 1, None, 0, None]
    assert encoding.sequence_ids == [None, 0, 0, 0, None, 1, None]
    assert encoding.offsets[1:4] == [(0, 4), (4, 8), (8, 12)]
    assert RoughTokenizer()("two words", "one")["input_ids"] == encoding.ids


def test_texts_that_begin_alike_begin_with_the_same_rough_tokens():
    one, other = RoughTokenizer()(["label it: good", "label it: what else"])["input_ids"]
    assert len(one) == 4
    assert one[:2] == other[:2]
    assert one[3] != other[3]


def test_what_is_no_language_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="unknown architecture 'nope'"):
        Architecture({"model_type": "nope"}).weightless("bfloat16")
    with pytest.raises(ModelError, match="no language model of vit"):
        Architecture({"model_type": "vit"}).tiny()
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot read"):
        find_architecture(ModelSpec(name="bad", folder=str(tmp_path)))


def test_sizes_that_are_not_said_are_the_architectures_own():
    content = json.loads(json.dumps(sized("llama-7b").content))
    del content["intermediate_size"]
    assert Architecture(content).config.intermediate_size == 11008
