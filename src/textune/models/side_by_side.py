"""Sets of LoRA weights that are trained side by side over one frozen base.

A model that was adapted once holds one set. Others stand outside of it as plain parameters of the
same names; in a block of ``side_by_side`` its layers read each stretch of tokens with a set of its
own (``models.lean_lora``).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from textune.core.errors import ImpossibleError
from textune.models.lean_lora import LeanLora, only_adapter

Weights = Mapping[str, nn.Parameter]
"""What trains of an adapted model, by name."""


def is_stackable(adapted: nn.Module) -> bool:
    """Whether all that trains is plain LoRA."""
    stackable = {name for layer in _layers(adapted).items() for name in _names(*layer)}
    return {name for name, _ in _trainable(adapted)} == stackable


def copied(adapted: nn.Module) -> dict[str, nn.Parameter]:
    """A set of its own with the values of what trains now.

    Raises:
        ImpossibleError: something trains that is not plain LoRA.
    """
    if not is_stackable(adapted):
        raise ImpossibleError(
            "only plain LoRA trains side by side", hint="train these cells one after the other"
        )
    return {n: nn.Parameter(p.detach().clone()) for n, p in _trainable(adapted)}


@torch.no_grad()
def put(adapted: nn.Module, weights: Weights) -> None:
    """Give the model the values of a set."""
    for name, parameter in _trainable(adapted):
        parameter.copy_(weights[name])


@contextmanager
def side_by_side(adapted: nn.Module, sets: Sequence[Weights]) -> Iterator[None]:
    """A block in which the tokens of a row, divided equally, are read with these sets."""
    layers = _layers(adapted)
    for prefix, layer in layers.items():
        first, second = _names(prefix, layer)
        layer.beside = [(each[first], each[second]) for each in sets]
    try:
        yield
    finally:
        for layer in layers.values():
            layer.beside = ()


def _trainable(adapted: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((n, p) for n, p in adapted.named_parameters() if p.requires_grad)


def _layers(adapted: nn.Module) -> dict[str, LeanLora]:
    """Plain LoRA layers by their places."""
    return {
        name: module
        for name, module in adapted.named_modules()
        if isinstance(module, LeanLora) and _adapter(module) is not None
    }


def _adapter(layer: Any) -> str | None:
    """The adapter that all the layer adds is in, whatever format it has."""
    weights = [each.weight for each in layer.lora_A.values()]
    return only_adapter(layer, weights[0].dtype) if weights else None


def _names(prefix: str, layer: LeanLora) -> tuple[str, str]:
    """Of its ``A`` and its ``B``."""
    name = _adapter(layer)
    return f"{prefix}.lora_A.{name}.weight", f"{prefix}.lora_B.{name}.weight"
