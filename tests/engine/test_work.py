import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode, bmm_flop, mm_flop

from textune.cost.meter import meter
from textune.engine.causal import CausalEngine
from textune.engine.labels import label_tree
from textune.methods.base import REGISTRY
from textune.testing import tiny_items, tiny_model

IN_PLACE = {
    torch.ops.aten.addmm_: lambda _, left, right, **__: mm_flop(left, right),
    torch.ops.aten.baddbmm_: lambda _, left, right, **__: bmm_flop(left, right),
}
"""What torch's counter does not know by itself."""
ITEMS = tiny_items(size=6, shared=12)


@pytest.mark.parametrize("method_name", ["full", "lora", "prompt_tuning"])
def test_training_operations_are_those_that_torch_counts(method_name):
    method = REGISTRY.get(method_name)()
    model = tiny_model("llama", hidden_size=64, intermediate_size=256, vocab_size=64)
    adapted = method.apply(model, [])
    engine = method.engine(model, adapted)
    with FlopCounterMode(display=False, custom_mapping=IN_PLACE) as counter, meter() as used:
        engine.answer_loss(ITEMS).backward()
    assert used.usage.flops == pytest.approx(counter.get_total_flops(), rel=0.1)
    assert used.usage.tokens == 12 + 20 * (method_name == "prompt_tuning") + sum(
        len(i.prompt) - 12 + len(i.answer) - 1 for i in ITEMS
    )


def test_scoring_operations_are_those_that_torch_counts():
    engine = CausalEngine(tiny_model("llama", hidden_size=64, intermediate_size=256))
    tree = label_tree([(5,), (6, 7), (6, 8)], 2, ["a", "b", "c"])
    with FlopCounterMode(display=False) as counter, meter() as used, torch.no_grad():
        engine.label_scores([i.prompt for i in ITEMS], tree)
    assert used.usage.flops == pytest.approx(counter.get_total_flops(), rel=0.05)
