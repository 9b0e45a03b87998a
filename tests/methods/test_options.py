import copy
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from textune.core.config import PluginOf
from textune.core.errors import ConfigError, ImpossibleError, StoreError
from textune.methods.base import REGISTRY
from textune.methods.boft import BOFT
from textune.methods.ia3 import IA3
from textune.methods.ln_tuning import LNTuning
from textune.methods.lora import LoRA
from textune.methods.oft import OFT
from textune.methods.prompt_tuning import PromptTuning
from textune.methods.qlora import QLoRA
from textune.methods.vera import VeRA
from textune.testing import ARCHITECTURES, check_method, tiny_model, tiny_quantised_model

OPTIONS = [
    {"lora": {"dora": True}},
    {"lora": {"dora": True, "dropout": 0.1}},
    {"lora": {"scaling": "rank-stabilised", "alpha": 8}},
    {"lora": {"scaling": "rank-stabilised", "alpha": 8, "dora": True}},
    {"lora": {"init": "pissa"}},
    {"lora": {"init": "pissa", "scaling": "rank-stabilised", "alpha": 5}},
    {"lora": {"targets": ["q_proj", "v_proj"], "rank": 4}},
    {"qlora": {"dora": True}},
    {"boft": {"factors": 1}},
    {"boft": {"factors": 3}},
    {"oft": {"block_size": 4}},
    {"vera": {"rank": 16}},
    {"p_tuning": {"encoder": "lstm", "hidden": 32}},
]


SPACES = [
    {name: {option: value}}
    for name in REGISTRY.names()
    for option, values in REGISTRY.get(name).space.items()
    for value in values
]


def built(reference):
    return PluginOf(REGISTRY).build(reference, where="test")


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gemma3_text"])
@pytest.mark.parametrize("reference", OPTIONS, ids=str)
def test_every_option_keeps_the_promises(reference, architecture):
    check_method(built(reference), tiny_model(architecture))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ({"lora": {"rank": 0}}, "rank cannot be 0"),
        ({"lora": {"alpha": -1}}, "alpha cannot be -1"),
        ({"lora": {"dropout": 1.0}}, r"dropout cannot be 1\.0"),
        ({"lora": {"init": "pissa", "dora": True}}, "pissa does not go with dora"),
        ({"lora": {"init": "pissa", "dropout": 0.1}}, "pissa does not go with dropout"),
        ({"qlora": {"init": "pissa"}}, "pissa cannot start on a base in 4 bits"),
        ({"lora": {"scaling": "sqrt"}}, "scaling cannot be"),
        ({"vera": {"rank": 0}}, "rank cannot be 0"),
        ({"vera": {"dropout": -0.1}}, r"dropout cannot be -0\.1"),
        ({"oft": {"block_size": 1}}, "block_size cannot be 1"),
        ({"boft": {"block_size": 3}}, "block_size cannot be 3"),
        ({"boft": {"factors": 0}}, "factors cannot be 0"),
        ({"loha": {"rank": 0}}, "rank cannot be 0"),
        ({"lokr": {"alpha": 0}}, "alpha cannot be 0"),
        ({"p_tuning": {"tokens": 0}}, "tokens cannot be 0"),
        ({"p_tuning": {"encoder": "gru"}}, "encoder cannot be"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_written(reference, said):
    with pytest.raises(ConfigError, match=said) as caught:
        built(reference)
    assert caught.value.hint


def test_capabilities_follow_the_options():
    assert (LoRA().served_by, LoRA(dora=True).served_by) == ("vLLM", "merged")
    assert (LoRA().quantised_base, LoRA(init="pissa").quantised_base) == (True, False)
    assert replace(LoRA(dora=True), dora=False) == LoRA()


def test_pissa_starts_at_the_principal_part_and_takes_it_out():
    model = tiny_model("llama")
    weight = model.model.layers[0].mlp.up_proj.weight.clone()
    adapted = LoRA(init="pissa", rank=4, alpha=8).apply(model, [])
    layer = adapted.base_model.model.model.layers[0].mlp.up_proj
    start = 2 * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    least = torch.linalg.svdvals(weight)[4:].norm()
    assert least <= (weight - start).norm() < 1.01 * least
    assert torch.equal(layer.get_base_layer().weight, weight)


def test_pissa_is_saved_as_a_plain_lora_of_twice_the_rank(tmp_path):
    method = LoRA(init="pissa", rank=4, alpha=6, scaling="rank-stabilised")
    method.save(method.apply(tiny_model("llama"), []), tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["r"], config["use_rslora"], config["init_lora_weights"]) == (8, True, True)
    assert config["lora_alpha"] / 8**0.5 == pytest.approx(6 / 4**0.5)
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert {t.shape[0] for n, t in tensors.items() if "lora_A" in n} == {8}
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    loaded = LoRA().load(tiny_model("llama"), tmp_path)
    ids = torch.tensor([[5, 9, 11]])
    torch.testing.assert_close(loaded(ids).logits, tiny_model("llama")(ids).logits)


def test_pissa_refuses_a_base_in_4_bits():
    with pytest.raises(ImpossibleError, match="16 or 32 bits"):
        LoRA(init="pissa").apply(tiny_quantised_model("llama"), [])


def test_vera_draws_its_matrices_from_the_seed():
    def matrix(seed):
        torch.manual_seed(seed)
        return VeRA(rank=8).apply(tiny_model("llama"), []).base_model.vera_A["default"]

    with torch.random.fork_rng():
        assert torch.equal(matrix(1), matrix(1))
        assert not torch.equal(matrix(1), matrix(2))


def test_boft_names_a_layer_that_it_cannot_divide():
    model = tiny_model("llama")
    before = {name for name, _ in model.named_modules()}
    with pytest.raises(
        ImpossibleError, match=r"48 inputs of model\.layers\.0\.mlp\.down_proj by 32"
    ):
        BOFT(factors=4).apply(model, [])
    assert {name for name, _ in model.named_modules()} == before


def test_oft_takes_the_nearest_width_where_its_own_does_not_divide():
    adapted = OFT(block_size=32).apply(tiny_model("llama"), [])
    layers = adapted.base_model.model.model.layers[0].mlp
    assert layers.up_proj.oft_block_size["default"] == 32  # of 32 inputs
    assert layers.down_proj.oft_block_size["default"] == 24  # of 48


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ln_tuning_finds_every_norm_and_nothing_else(architecture):
    model = tiny_model(architecture)
    norms = [m for m in model.modules() if "RMSNorm" in type(m).__name__]
    adapted = LNTuning().apply(model, [])
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert len(trained) == len(norms)
    assert sum(p.numel() for p in trained) == sum(n.weight.numel() for n in norms)


def test_ln_tuning_refuses_a_model_without_norms():
    model = tiny_model("llama")
    for layer in model.model.layers:
        layer.input_layernorm = layer.post_attention_layernorm = torch.nn.Identity()
    model.model.norm = torch.nn.Identity()
    with pytest.raises(ImpossibleError, match="no normalisation layer"):
        LNTuning().apply(model, [])


@pytest.mark.parametrize("name", ["lora", "vera", "oft", "boft", "loha", "lokr"])
def test_no_adapter_stands_at_the_vocabulary(name):
    adapted = REGISTRY.get(name)().apply(tiny_model("qwen3", tie_word_embeddings=False), [])
    assert type(adapted.base_model.model.lm_head) is torch.nn.Linear


def test_a_method_that_cannot_be_merged_says_so():
    method = PromptTuning()
    adapted = method.apply(tiny_model("llama"), [])
    with pytest.raises(ImpossibleError, match="prompt_tuning learns cannot be folded"):
        method.merge(adapted)


@pytest.mark.parametrize("name", ["lora", "vera", "oft", "boft", "loha", "lokr", "ln_tuning"])
def test_a_bf16_base_trains_saves_and_loads(name, tmp_path):
    model = tiny_model("llama").to(torch.bfloat16)
    base, ids = copy.deepcopy(model), torch.tensor([[5, 9, 11, 3]])
    method = REGISTRY.get(name)()
    adapted = method.apply(model, [])
    trained = [p for p in adapted.parameters() if p.requires_grad]
    assert {p.dtype for p in trained} == {torch.bfloat16}
    for parameter in trained:
        parameter.data += 0.1 * torch.randn_like(parameter)
    method.save(adapted, tmp_path)
    assert torch.equal(method.load(base, tmp_path)(ids).logits, adapted(ids).logits)


def test_qlora_is_lora_on_another_base():
    assert (QLoRA.quantisation, LoRA.quantisation) == ("nf4", "none")
    assert QLoRA().config([]).to_dict() == LoRA().config([]).to_dict()


def test_targets_that_the_model_does_not_have_are_refused_with_a_reason():
    with pytest.raises(ImpossibleError, match=r"lora does not go with llama: .*no_such_layer"):
        LoRA(targets=("no_such_layer",)).apply(tiny_model("llama"), [])


@pytest.mark.parametrize("reference", SPACES, ids=str)
def test_every_value_that_a_search_may_try_can_be_built(reference):
    options = next(iter(reference.values()))
    assert vars(built(reference)).items() >= options.items()


def tiny_of(model_type, **content):
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 64,
    }
    config = AutoConfig.for_model(model_type, **{**sizes, **content})
    return AutoModelForCausalLM.from_config(config).requires_grad_(False)


def test_ia3_finds_its_layers_by_structure_where_they_have_other_names():
    model = tiny_of("phi")
    adapted = IA3().apply(model, [])
    scaled = {
        n.split(".")[-3]: tuple(p.shape) for n, p in adapted.named_parameters() if "ia3" in n
    }
    assert scaled == {"k_proj": (32, 1), "v_proj": (32, 1), "fc2": (1, 48)}


def test_ia3_says_so_when_one_layer_makes_queries_keys_and_values():
    with pytest.raises(ImpossibleError, match="keys and values of gpt_neox") as raised:
        IA3().apply(tiny_of("gpt_neox"), [])
    assert "targets" in raised.value.hint
    named = IA3(targets=("query_key_value",), input_targets=("dense_4h_to_h",))
    adapted = named.apply(tiny_of("gpt_neox"), [])
    assert sum(p.numel() for p in adapted.parameters() if p.requires_grad) == 2 * (3 * 32 + 48)


def test_an_adapter_that_lacks_a_tensor_is_refused(tmp_path):
    method = LoRA(rank=4)
    adapted = method.apply(tiny_model("llama"), [])
    method.save(adapted, tmp_path)
    path = tmp_path / "adapter_model.safetensors"
    tensors = load_file(path)
    name = next(name for name in tensors if "lora_B" in name)
    del tensors[name]
    save_file(tensors, path)
    with pytest.raises(StoreError, match=r"damaged adapter in .*missing adapter keys") as raised:
        method.load(tiny_model("llama"), tmp_path)
    assert name.split(".lora_B")[0].removeprefix("base_model.model.") in raised.value.message
