import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from textune.cost.meter import meter
from textune.engine.causal import CausalEngine
from textune.engine.forecast import (
    LONGEST,
    kept_bytes,
    packed_size,
    scoring_demand,
    weightless_layers,
)
from textune.engine.labels import label_tree
from textune.engine.packing import ROUND, Item
from textune.engine.work import work_model
from textune.methods.base import REGISTRY
from textune.models.architecture import Architecture
from textune.models.lean import make_lean
from textune.testing import tiny_items

ITEMS = tiny_items(size=6, shared=12)
LONGER = tiny_items(size=48, shared=60)
TINY = Architecture({"model_type": "llama", "num_key_value_heads": 8})
METHODS = ["full", "lora", "ia3", "prompt_tuning", "prefix", "top_layers", "adapter"]


def saved_bytes(step, model):
    """What autograd really keeps, weights not counted."""
    own = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(storage.nbytes() for place, storage in kept.items() if place not in own)


@pytest.mark.parametrize("name", METHODS)
def test_a_step_without_weights_keeps_what_a_real_one_keeps(name):
    method = REGISTRY.get(name)()
    real = TINY.tiny()
    make_lean(real)
    adapted = method.apply(real, [])
    expected = saved_bytes(lambda: method.engine(real, adapted).answer_loss(ITEMS), adapted)
    weightless = Architecture(real.config.to_dict()).weightless("float32")
    with weightless_layers(torch.float32):
        shape = method.apply(weightless, [])
    engine = method.engine(weightless, shape)
    assert kept_bytes(lambda: engine.answer_loss(ITEMS), shape) == pytest.approx(
        expected, rel=0.01
    )


def test_layers_without_weights_have_the_models_format():
    weightless = TINY.weightless("bfloat16")
    with weightless_layers(torch.bfloat16):
        adapted = REGISTRY.get("lora")().apply(weightless, [])
    assert {p.dtype for p in adapted.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32


def test_operations_of_scoring_are_those_that_the_engine_counts():
    model = TINY.tiny()
    tree = label_tree([(5,), (6, 7), (6, 8)], 2, ["a", "b", "c"])
    prompts = [item.prompt for item in LONGER]
    with meter() as used:
        CausalEngine(model).label_scores(prompts, tree)
    said = scoring_demand(model, prompts, added=1)
    assert said.predict_flops == pytest.approx(used.usage.flops, rel=0.1)


def test_operations_of_training_are_those_that_the_engine_counts():
    model = TINY.tiny().requires_grad_(True)
    tree = label_tree([(5,), (6,), (7,)], 2, ["a", "b", "c"])
    items = [Item(item.prompt, (5, 2)) for item in LONGER]
    with meter() as used:
        CausalEngine(model).label_loss(items, tree)
    size = packed_size([item.prompt for item in items], added=1, before=0, rows=1)
    flops = size.flops(work_model(model), training=True)
    assert flops == pytest.approx(used.usage.flops, rel=0.15)


def test_sizes_grow_with_prompts_and_rows():
    prompts = [(1, 2, 3, 4 + i, *range(20, 30)) for i in range(8)]
    one = packed_size(prompts, added=1, before=0, rows=1)
    twice = packed_size(prompts * 2, added=1, before=0, rows=2)
    assert (twice.tokens, twice.read) == (2 * one.tokens, 2 * one.read)
    assert twice.pairs == pytest.approx(2 * one.pairs)
    assert (one.tokens, one.read) == (3 + ROUND // 2 + 8 * 12, 16)
    with_virtual = packed_size(prompts, added=1, before=5, rows=2)
    assert with_virtual.tokens == 2 * (8 + ROUND // 2) + 8 * 12
    assert packed_size([], added=1, before=0, rows=0).tokens == 0


def test_writing_reads_all_weights_at_each_step_and_its_prompt_at_each_token():
    model, added = TINY.tiny(), 8
    prompts = [(i + 3, *range(20, 100)) for i in range(10)]
    read, written = (
        scoring_demand(model, prompts, added=added, writes=writes) for writes in (False, True)
    )
    config = model.config
    a_token = 2 * 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    states = sum(len(prompt) + step for prompt in prompts for step in range(added)) * a_token
    weights = LONGEST * added * sum(4 * p.numel() for p in model.parameters())
    more = written.predict_traffic - read.predict_traffic
    assert more == pytest.approx(states + weights, rel=0.05)
    assert states > 0.1 * weights
