from functools import partial

import pytest
import torch

from textune.core.errors import ImpossibleError
from textune.cost.meter import meter
from textune.engine.causal import CausalEngine
from textune.engine.labels import label_tree
from textune.methods.base import REGISTRY
from textune.methods.lora import LoRA
from textune.methods.qlora import QLoRA
from textune.models.side_by_side import copied, put, side_by_side
from textune.testing import (
    ARCHITECTURES,
    gradients,
    tiny_items,
    tiny_model,
    tiny_quantised_model,
)

LABELS = [(5, 9), (5, 11), (7,)]
BATCHES = [
    tiny_items(seed=1),
    tiny_items(seed=2, size=9, shared=40),
    tiny_items(seed=3, size=1, shared=3),
]
"""Of different lengths, each with a prefix of its own."""


def with_sets(method, model):
    """An adapted model, and a set of weights for each batch."""
    torch.manual_seed(0)
    adapted, sets = method.apply(model, []), []
    for seed in range(len(BATCHES)):
        sets.append(copied(adapted))
        torch.manual_seed(seed)
        for parameter in sets[-1].values():
            parameter.data += 0.05 * torch.randn_like(parameter)
    return adapted, sets


def objectives(engine, batches):
    """For each objective: its losses side by side, those one by one, and batches."""
    tree = label_tree(LABELS, end=2, names=["a", "b", "c"])
    answers = [(*LABELS[i % 3], 2) for i in range(10)]
    labelled = [
        [type(item)(item.prompt, answer) for item, answer in zip(batch, answers, strict=False)]
        for batch in batches
    ]
    return {
        "answer": (engine.losses, engine.answer_loss, batches),
        "labels": (
            partial(engine.losses, labels=tree),
            partial(engine.label_loss, labels=tree),
            labelled,
        ),
    }


@pytest.mark.parametrize("objective", ["answer", "labels"])
@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "4 bits"])
def test_loss_and_gradients_of_each_are_those_it_has_alone(architecture, objective):
    is_packed = architecture == "4 bits"
    model = tiny_quantised_model("llama") if is_packed else tiny_model(architecture)
    adapted, sets = with_sets(QLoRA() if is_packed else LoRA(), model)
    together, alone, batches = objectives(CausalEngine(model), BATCHES)[objective]
    with side_by_side(adapted, sets):
        losses = together(batches)
    torch.stack(losses).sum().backward()
    for loss, weights, batch in zip(losses, sets, batches, strict=True):
        put(adapted, weights)
        single = alone(batch)
        torch.testing.assert_close(loss, single, atol=1e-5, rtol=1e-5)
        for name, expected in gradients(adapted, single).items():
            error = (weights[name].grad - expected).norm() / expected.norm().clamp_min(1e-6)
            assert error < 1e-4, f"{name}: {error:.1e}"


def test_in_bf16_each_is_as_near_to_fp32_as_alone():
    """Products round differently in rows of another length, but no more."""
    errors = {"together": [], "alone": []}
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = tiny_model("llama", hidden_size=64, head_dim=32)
        adapted, sets = with_sets(LoRA(), model)
        adapted.to(dtype)
        sets = [{n: torch.nn.Parameter(p.to(dtype)) for n, p in each.items()} for each in sets]
        engine = CausalEngine(model)
        with side_by_side(adapted, sets):
            torch.stack(engine.losses(BATCHES)).sum().backward()
        for place, (weights, batch) in enumerate(zip(sets, BATCHES, strict=True)):
            put(adapted, weights)
            own = gradients(adapted, engine.answer_loss(batch))
            found[dtype, place, "alone"] = torch.cat([g.float().flatten() for g in own.values()])
            flat = torch.cat([w.grad.float().flatten() for w in weights.values()])
            found[dtype, place, "together"] = flat
    for place in range(len(BATCHES)):
        true = found[torch.float32, place, "alone"]
        for way, kept in errors.items():
            kept.append((found[torch.bfloat16, place, way] - true).norm() / true.norm())
    for together, alone in zip(errors["together"], errors["alone"], strict=True):
        assert 0 < together < 1.25 * alone < 0.3


def test_work_of_all_is_counted_and_no_filling():
    model = tiny_model("llama")
    adapted, sets = with_sets(LoRA(), model)
    engine = CausalEngine(model)
    with meter() as together, side_by_side(adapted, sets):
        engine.losses(BATCHES)
    with meter() as alone:
        for batch in BATCHES:
            engine.answer_loss(batch)
    assert together.usage.tokens == alone.usage.tokens > 0
    assert together.usage.flops == pytest.approx(alone.usage.flops)


def test_the_model_is_its_own_again_after_the_block():
    model = tiny_model("llama")
    adapted, sets = with_sets(LoRA(), model)
    before = CausalEngine(model).answer_loss(BATCHES[0])
    with pytest.raises(RuntimeError), side_by_side(adapted, sets):
        raise RuntimeError
    assert torch.equal(CausalEngine(model).answer_loss(BATCHES[0]), before)


@pytest.mark.parametrize(
    "method", [LoRA(dropout=0.1), LoRA(dora=True), LoRA(init="pissa"), REGISTRY.get("ia3")()]
)
def test_what_is_more_than_plain_lora_is_refused(method):
    adapted = method.apply(tiny_model("llama"), [])
    with pytest.raises(ImpossibleError, match="only plain LoRA"):
        copied(adapted)
