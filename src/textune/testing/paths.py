"""The packed path against the plain one: the same loss and the same gradients."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from textune.engine import plain as plain_path
from textune.engine.causal import CausalEngine
from textune.engine.labels import label_tree
from textune.engine.packing import Item


def gradients(adapted: nn.Module, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """Gradient of every trainable parameter by name."""
    named = {n: p for n, p in adapted.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(named.values()))
    return dict(zip(named, found, strict=True))


def check_same_gradients(
    ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]
) -> None:
    """The same names, and every gradient within 1e-4 (relative)."""
    assert ours, "nothing takes a gradient"
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    for name, gradient in theirs.items():
        error = (ours[name] - gradient).norm() / gradient.norm().clamp_min(1e-6)
        assert error < 1e-4, f"gradient of {name}: relative error {error:.2e}"


def check_packed_equals_plain(
    engine: CausalEngine, adapted: nn.Module, items: Sequence[Item]
) -> None:
    """Loss within 1e-5 and every gradient within 1e-4 (relative) of the plain path, in fp32.

    For both objectives; the labels are the answers of the items, which end with token 2.
    """
    _check_same_loss(adapted, engine.answer_loss(items), plain_path.answer_loss(adapted, items))
    answers = list(dict.fromkeys(item.answer for item in items))
    tree = label_tree(answers, 2, [str(a) for a in answers])
    ended = [Item(item.prompt, (*item.answer, 2)) for item in items]
    _check_same_loss(
        adapted, engine.label_loss(ended, tree), plain_path.label_loss(adapted, ended, tree)
    )


def _check_same_loss(adapted: nn.Module, packed: torch.Tensor, padded: torch.Tensor) -> None:
    gap = abs(packed.item() - padded.item())
    assert gap < 1e-5, f"packed loss {packed.item():.7f}, plain {padded.item():.7f}"
    check_same_gradients(gradients(adapted, packed), gradients(adapted, padded))
