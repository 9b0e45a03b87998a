from dataclasses import fields, replace
from functools import partial

import pytest
import torch

from textune.engine import attention, plain
from textune.engine.causal import CausalEngine
from textune.engine.labels import label_tree
from textune.methods.base import REGISTRY
from textune.methods.lora import LoRA
from textune.models.tile_attention import tiles
from textune.testing import (
    ARCHITECTURES,
    check_packed_equals_plain,
    gradients,
    moved,
    tiny_items,
    tiny_model,
)

METHODS = [name for name in REGISTRY.names() if REGISTRY.get(name).packable]
LABELS = [(5,), (6, 7), (6, 8, 9), (6, 7, 10)]  # (6, 7) begins another: all get the end token


def adapted_model(method_name, architecture, **changes):
    kind = REGISTRY.get(method_name)
    has_tokens = "tokens" in {f.name for f in fields(kind)}
    method = kind(tokens=4) if has_tokens else kind()  # few, so that they fit small windows
    model = tiny_model(architecture, **changes)
    torch.manual_seed(0)
    return method, model, moved(method.apply(model, []))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("method_name", METHODS)
def test_loss_and_gradients_agree(method_name, architecture):
    method, model, adapted = adapted_model(method_name, architecture)
    check_packed_equals_plain(method.engine(model, adapted), adapted, tiny_items())


@pytest.mark.parametrize("architecture", ["mistral", "gemma3_text"])
@pytest.mark.parametrize("method_name", METHODS)
def test_a_sliding_window_shorter_than_the_row_agrees(method_name, architecture):
    method, model, adapted = adapted_model(method_name, architecture, sliding_window=6)
    check_packed_equals_plain(method.engine(model, adapted), adapted, tiny_items())


@pytest.mark.parametrize("method_name", METHODS)
def test_a_soft_cap_on_attention_agrees(method_name):
    method, model, adapted = adapted_model(
        method_name, "gemma2", attn_logit_softcapping=0.5, final_logit_softcapping=2.0
    )
    model.set_attn_implementation("eager")  # the one of transformers that knows the cap
    check_packed_equals_plain(method.engine(model, adapted), adapted, tiny_items())


@pytest.mark.parametrize("shared", [0, 1, 20])
def test_any_length_of_shared_prefix_agrees(shared):
    method, model, adapted = adapted_model("lora", "llama")
    items = tiny_items(shared=shared)
    check_packed_equals_plain(method.engine(model, adapted), adapted, items)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("method_name", METHODS)
def test_label_scores_equal_those_of_one_sequence_at_a_time(method_name, architecture):
    method, model, adapted = adapted_model(method_name, architecture, sliding_window=9)
    adapted.eval()
    prompts = [item.prompt for item in tiny_items(size=6)]
    tree = label_tree(LABELS, end=2, names=["a", "b", "c", "d"])
    expected = plain.label_scores(adapted, prompts, tree.paths)
    engine = method.engine(model, adapted)
    torch.testing.assert_close(engine.label_scores(prompts, tree), expected, atol=1e-5, rtol=1e-5)


def test_scores_do_not_depend_on_how_prompts_are_grouped():
    model = tiny_model("llama")
    prompts = [item.prompt for item in tiny_items(size=6)]
    tree = label_tree(LABELS, end=2, names=["a", "b", "c", "d"])
    together = CausalEngine(model).label_scores(prompts, tree)
    in_small_rows = CausalEngine(model, tokens_in_row=20).label_scores(prompts, tree)
    engine = CausalEngine(model)
    one_by_one = torch.cat([engine.label_scores([prompt], tree) for prompt in prompts])
    torch.testing.assert_close(in_small_rows, together)
    torch.testing.assert_close(one_by_one, together)


def test_identical_prompts_share_all_but_their_last_token():
    model = tiny_model("llama")
    prompts = [tiny_items()[0].prompt] * 3
    tree = label_tree(LABELS, end=2, names=["a", "b", "c", "d"])
    expected = plain.label_scores(model, prompts, tree.paths)
    torch.testing.assert_close(CausalEngine(model).label_scores(prompts, tree), expected)


@pytest.mark.parametrize("before", [0, 3], ids=["", "states before"])
@pytest.mark.parametrize("objective", ["answer", "labels"])
@pytest.mark.skipif(tiles() is None, reason="no products of bf16 on this processor")
def test_attention_on_tiles_trains_as_that_by_cells(before, objective, monkeypatch):
    """In bf16, where all that is rounded is far from fp32: as near as attention by cells is."""
    found = {}
    for name in ("fp32", "cells", "tiles"):
        with monkeypatch.context() as patch:
            if name == "cells":
                patch.setattr(attention, "attends_on_tiles", lambda query: False)
            method = REGISTRY.get("prefix")(tokens=before) if before else LoRA()
            model = tiny_model("llama", hidden_size=64, head_dim=32, vocab_size=128)
            torch.manual_seed(0)
            adapted = moved(method.apply(model, []))
            engine = method.engine(model, adapted)
            adapted.to(torch.float32 if name == "fp32" else torch.bfloat16)
            items = [replace(item, answer=(*LABELS[0], 2)) for item in tiny_items(shared=20)]
            tree = label_tree(LABELS, end=2, names=["a", "b", "c", "d"])
            by = {"answer": engine.answer_loss, "labels": partial(engine.label_loss, labels=tree)}
            every = gradients(adapted, by[objective](items)).values()
            found[name] = torch.cat([gradient.float().flatten() for gradient in every])
    true = found["fp32"]
    errors = {name: ((found[name] - true).norm() / true.norm()).item() for name in found}
    assert 0 < errors["cells"] < 0.15
    assert 0 < errors["tiles"] < 1.25 * errors["cells"]
    assert not torch.equal(found["tiles"], found["cells"])
