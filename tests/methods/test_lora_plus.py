import torch

from textune.methods.lora_plus import LoRAPlus
from textune.testing import tiny_model
from textune.training.masters import Masters


def test_b_moves_ratio_times_as_far_as_a():
    method = LoRAPlus(ratio=8.0)
    adapted = method.apply(tiny_model("llama"), [])
    named = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    hooks = method.hooks(adapted)
    before = {name: p.detach().clone() for name, p in named.items()}
    rates = [hooks.rate(name) for name in named]
    masters = Masters(named.values(), weight_decay=0.0, factors=rates)
    for parameter in named.values():
        parameter.grad.fill_(1.0)
    masters.step(1e-3)  # the first step of Adam moves every weight by the learning rate
    moved = {name: (before[name] - p).abs() for name, p in named.items()}
    for name, distance in moved.items():
        expected = 8e-3 if ".lora_B." in name else 1e-3
        torch.testing.assert_close(
            distance, torch.full_like(distance, expected), atol=1e-6, rtol=1e-3
        )
