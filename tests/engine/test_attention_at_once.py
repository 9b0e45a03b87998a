"""Attention of all rows in one call, as a GPU does it, against attention by cells.

The kernel itself runs on no processor: a plain one with the same arguments stands in for it.
"""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.attention.varlen import varlen_attn
from transformers import AutoModel, BertConfig

from textune.engine import attention, plain
from textune.engine.causal import CausalEngine
from textune.engine.encoder_rows import EncoderRows
from textune.engine.forecast import kept_bytes, weightless_layers
from textune.engine.labels import label_tree
from textune.methods.base import REGISTRY
from textune.methods.lora import LoRA
from textune.models import varlen_attention
from textune.models.architecture import Architecture
from textune.models.device import has_cuda
from textune.models.side_by_side import copied, side_by_side
from textune.models.varlen_attention import attends_at_once
from textune.testing import check_packed_equals_plain, gradients, moved, tiny_items, tiny_model

LABELS = [(5,), (6,), (7,)]


def plain_varlen(query, key, value, queries, keys, *longest, scale, window_size, enable_gqa):
    """What torch documents of ``varlen_attn``, a sequence at a time."""
    groups = query.shape[1] // key.shape[1]
    assert enable_gqa
    assert longest == (queries.diff().max().item(), keys.diff().max().item())
    outs = []
    for part in range(len(queries) - 1):
        asks = query[queries[part] : queries[part + 1]].transpose(0, 1)
        has, gives = (
            each[keys[part] : keys[part + 1]].transpose(0, 1).repeat_interleave(groups, 0)
            for each in (key, value)
        )
        size = asks.shape[1], has.shape[1]
        own, other = (torch.arange(each, device=query.device) for each in size)
        ahead = other - own[:, None] - (size[1] - size[0])
        behind, before = window_size
        seen = ((ahead >= -behind) | (behind < 0)) & ((ahead <= before) | (before < 0))
        products = (asks @ has.transpose(1, 2) * scale).masked_fill(~seen, -torch.inf)
        outs.append((products.softmax(-1) @ gives).transpose(0, 1))
    return torch.cat(outs)


@pytest.fixture
def calls(monkeypatch):
    """What the stand-in was called with."""
    made = []

    def noted(*given, **named):
        made.append(given)
        return plain_varlen(*given, **named)

    monkeypatch.setattr(attention, "attends_at_once", lambda query: not query.is_meta)
    monkeypatch.setattr(varlen_attention, "varlen_attn", noted)
    return made


def away(adapted):
    """Away from the start, always by the same."""
    torch.manual_seed(0)
    return moved(adapted)


@pytest.mark.parametrize("window", [None, 6])
@pytest.mark.parametrize("shared", [0, 1, 20])
@pytest.mark.parametrize("name", ["lora", "prefix", "prompt_tuning"])
def test_loss_and_gradients_are_those_of_the_plain_path(name, shared, window, calls):
    method = LoRA() if name == "lora" else REGISTRY.get(name)(tokens=4)
    model = tiny_model("mistral", sliding_window=window)
    adapted = away(method.apply(model, []))
    check_packed_equals_plain(method.engine(model, adapted), adapted, tiny_items(shared=shared))
    assert calls


def test_labels_of_one_token_are_scored_in_one_call_a_layer(calls):
    model = tiny_model("llama")
    prompts = [item.prompt for item in tiny_items(size=6)]
    tree = label_tree(LABELS, end=2, names=["a", "b", "c"])
    scores = CausalEngine(model).label_scores(prompts, tree)
    torch.testing.assert_close(scores, plain.label_scores(model, prompts, tree.paths))
    assert len(calls) == 2 * model.config.num_hidden_layers  # the prefix, then all prompts


def test_rows_behind_each_other_are_one_call_a_layer(calls):
    batches = [tiny_items(seed=1), tiny_items(seed=2, size=9, shared=40), tiny_items(size=1)]
    model = tiny_model("llama")
    adapted = away(LoRA().apply(model, []))
    engine, sets = CausalEngine(model), [copied(adapted) for _ in batches]
    with side_by_side(adapted, sets):
        losses = engine.losses(batches)
    assert len(calls) == model.config.num_hidden_layers
    for loss, own, batch in zip(losses, sets, batches, strict=True):
        alone = plain.answer_loss(adapted, batch)
        torch.testing.assert_close(loss, alone)
        found = torch.autograd.grad(loss, list(own.values()), retain_graph=True)
        expected = gradients(adapted, alone).values()
        torch.testing.assert_close(found, tuple(expected), rtol=1e-4, atol=1e-6)


def test_an_encoder_reads_both_ways(calls):
    encoder = AutoModel.from_config(
        BertConfig(
            vocab_size=60,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            initializer_range=0.2,
        )
    ).eval()
    tokenizer = SimpleNamespace(pad_token_id=1, model_input_names=["input_ids"])
    texts = [tuple(range(3, 3 + size)) for size in (9, 3, 40)]
    states = EncoderRows(encoder, tokenizer).states([(text, (0,) * len(text)) for text in texts])
    assert len(calls) == encoder.config.num_hidden_layers
    alone = [encoder(torch.tensor([text])).last_hidden_state[0] for text in texts]
    torch.testing.assert_close(states, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_rules_that_the_kernel_does_not_know_are_left_to_cells(calls):
    model = tiny_model("gemma2", attn_logit_softcapping=0.5)
    loss = CausalEngine(model).answer_loss(tiny_items())
    model.set_attn_implementation("eager")
    torch.testing.assert_close(loss, plain.answer_loss(model, tiny_items()))
    assert not calls


def test_a_step_is_planned_by_what_such_attention_keeps(monkeypatch):
    """Of shapes alone, on a machine with a GPU: no weights of attention."""
    items, kept = tiny_items(size=16, shared=200), {}
    architecture = Architecture({"model_type": "llama", "num_key_value_heads": 8, "head_dim": 8})
    for device in ("cpu", "cuda"):
        with monkeypatch.context() as patch:
            patch.setattr(varlen_attention, "device_name", lambda name=device: name)
            patch.setattr("textune.models.tile_attention.device_name", lambda: "cuda")
            patch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
            model = architecture.weightless("bfloat16")
            with weightless_layers(torch.bfloat16):
                adapted = LoRA().apply(model, [])
            engine = CausalEngine(model)
            kept[device] = kept_bytes(lambda engine=engine: engine.answer_loss(items), adapted)
    assert kept["cuda"] < 0.8 * kept["cpu"]


def test_only_a_gpu_takes_queries_and_only_such_that_its_kernel_knows(monkeypatch):
    query = torch.zeros(4, 64, dtype=torch.bfloat16)
    assert not attends_at_once(query)
    monkeypatch.setattr(varlen_attention, "device_name", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    shapes = query.to("meta")
    assert attends_at_once(shapes)
    others = shapes.float(), shapes[:, :60], shapes.repeat(1, 8)
    assert [attends_at_once(other) for other in others] == [False, False, False]
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert not attends_at_once(shapes)


@pytest.mark.gpu
@pytest.mark.skipif(not has_cuda(), reason="no GPU")
@pytest.mark.parametrize("window", [(-1, 0), (5, 0), (-1, -1)])
def test_the_kernel_does_what_its_stand_in_does(window):
    draw = torch.Generator("cuda").manual_seed(0)
    starts = [torch.tensor(each, dtype=torch.int32).cuda() for each in ([0, 3, 13], [0, 8, 18])]
    parts = [
        torch.randn(*shape, 64, generator=draw, device="cuda", dtype=torch.bfloat16)
        for shape in ((13, 4), (18, 2), (18, 2))
    ]
    found = []
    for each in (varlen_attn, plain_varlen):
        inputs = [part.clone().requires_grad_(True) for part in parts]
        rule = {"scale": 0.1, "window_size": window, "enable_gqa": True}
        out = each(*inputs, *starts, 10, 10, **rule)
        out.square().sum().backward()
        found.append([out.detach(), *(part.grad for part in inputs)])
    torch.testing.assert_close(*found, rtol=2**-5, atol=2**-5)
