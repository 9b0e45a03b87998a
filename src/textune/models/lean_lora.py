"""LoRA layers of ``peft`` that make fewer passes over memory and keep less for the way back.

They are computed as ``models.adapted_linear`` says. Layers that read the same (queries, keys and
values; both halves of a gated unit) are computed when the first is asked. Whole layers of some
families do still less (``models.lean_layer``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft.import_utils import is_bnb_4bit_available
from peft.tuners.lora.layer import Linear
from torch import nn

from textune.models.adapted_linear import (
    Frozen,
    Pair,
    Part,
    adapted_linear,
    adapted_linear_back,
    adapters_of,
    frozen_weight,
)

NEIGHBOURS = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Names of layers that may read the same; whether they do is seen when they are asked."""


def make_lora_lean(adapted: nn.Module) -> None:
    """Let the plain LoRA layers of a model compute leanly, in place; weights and names stay."""
    lean: dict[type, type] = {Linear: LeanLoraLinear}
    if is_bnb_4bit_available():
        from peft.tuners.lora.bnb import Linear4bit

        from textune.models.lean_qlora import LeanLoraLinear4bit

        lean[Linear4bit] = LeanLoraLinear4bit
    for module in adapted.modules():
        if type(module) in lean:
            module.__class__ = lean[type(module)]
    for module in adapted.modules():
        for names in NEIGHBOURS:
            found = [getattr(module, name, None) for name in names]
            together = Together([layer for layer in found if isinstance(layer, LeanLora)])
            for layer in together.layers:
                layer.together = together


@dataclass
class Together:
    """Layers of which the first that is asked computes for all, where they read the same."""

    layers: "Sequence[LeanLora]"
    _read: torch.Tensor | None = None
    _said: dict[int, torch.Tensor] = field(default_factory=dict)
    """What layers that were not asked yet will say."""

    def said(self, layer: "LeanLora", x: torch.Tensor) -> torch.Tensor | None:
        """(..., I) to (..., O); None where the layer is more than plain LoRA."""
        if x is not self._read or id(layer) not in self._said:
            others = [each for each in self.layers if each is not layer]
            parts = {each: part for each in (layer, *others) if (part := each.part(x.dtype))}
            if layer not in parts:
                return None
            self._read = x
            self._said = dict(zip(map(id, parts), _adapted(x, list(parts.values())), strict=True))
        said = self._said.pop(id(layer))
        if not self._said:
            self._read = None
        return said


class LeanLora(nn.Module):
    """Comes before a class of ``peft``: where a layer is more than plain LoRA, that one computes.

    A subclass says what its frozen weight is.
    """

    together: Together | None = None
    beside: Sequence[Pair] = ()
    """Adapters of as many stretches of tokens; empty: its own one is that of all."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(..., I) to (..., O)."""
        if not args and not kwargs:
            together = self.together or Together([self])
            if (lean := together.said(self, x)) is not None:
                return lean
        assert not self.beside, "only plain LoRA stands side by side"
        said: torch.Tensor = super().forward(x, *args, **kwargs)
        return said

    def part(self, dtype: torch.dtype) -> "Part | None":
        """What it adds up for inputs of a format; None where it is more than plain LoRA."""
        layer: Any = self
        name = only_adapter(layer, dtype)
        frozen = self.frozen(dtype) if name is not None else None
        if name is None or frozen is None:
            return None
        pairs = self.beside or [(layer.lora_A[name].weight, layer.lora_B[name].weight)]
        return Part(frozen, layer.base_layer.bias, pairs, float(layer.scaling[name]))

    def frozen(self, dtype: torch.dtype) -> Frozen | None:
        """The weight of the linear layer for inputs of a format; None where it is no such one."""
        raise NotImplementedError


class LeanLoraLinear(LeanLora, Linear):
    """A LoRA layer beside a linear layer."""

    def frozen(self, dtype: torch.dtype) -> Frozen | None:
        """The weight as it is."""
        return frozen_weight(self.base_layer, dtype)


def only_adapter(layer: Any, dtype: torch.dtype) -> str | None:
    """The plain adapter of a layer of ``peft``, where it is the only one and all that there is."""
    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    name: str = layer.active_adapters[0]
    firsts = layer.lora_A
    is_plain = (
        name in firsts
        and name not in layer.lora_variant
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and layer.lora_B[name].bias is None
        and firsts[name].weight.dtype == dtype
    )
    return name if is_plain else None


def _adapted(x: torch.Tensor, parts: Sequence[Part]) -> list[torch.Tensor]:
    """What layers say of the same (..., I), each (..., O)."""
    stretches = x.reshape(len(parts[0].pairs), -1, x.shape[-1])
    outs = _Adapted.apply(stretches, parts, *adapters_of(parts))  # type: ignore[no-untyped-call]  # torch's apply
    return [out.view(*x.shape[:-1], -1) for out in outs]


class _Adapted(torch.autograd.Function):
    """Layers that read the same: their first and second adapters come after them, in turns."""

    @staticmethod
    def forward(
        ctx: Any, x_KTI: torch.Tensor, parts: Sequence[Part], *adapters: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        outs, kept = adapted_linear(x_KTI, parts, adapters)
        ctx.save_for_backward(*kept)
        ctx.parts = parts
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        needed = ctx.needs_input_grad[0], *ctx.needs_input_grad[2:]
        to_x, back = adapted_linear_back(gradients, ctx.parts, ctx.saved_tensors, needed)
        return to_x, None, *back
