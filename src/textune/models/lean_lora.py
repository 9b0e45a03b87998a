"""LoRA layers of ``peft`` that make fewer passes over memory and keep less for the way back.

A layer adds ``scale * B @ A @ x`` to what its frozen linear layer says. Automatic differentiation
makes the addition, the scale and the sum of all gradients arrays of their own; here they are part
of the matrix products. Layers that read the same (queries, keys and values; both halves of a gated
unit) are computed when the first is asked: one product with all their ``A``, and one sum of what
goes back to what they read. A frozen weight in 4 bits is unpacked on the way forward and on the
way back, and not kept between. Tests hold the layers to peft's.

Several adapters may stand side by side (``models.side_by_side``): the tokens are divided into
stretches of one length, and each stretch has adapters of its own beside the one frozen weight.

Legend: K adapters that stand side by side, mostly 1; T tokens of each, I inputs, O outputs, R
rank, of all layers that are computed at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft.import_utils import is_bnb_4bit_available
from peft.tuners.lora.layer import Linear
from torch import nn

Frozen = Callable[[], torch.Tensor]
"""Gives a weight (O, I) that does not train, in the number format of its products."""
Pair = tuple[torch.Tensor, torch.Tensor]
"""``A`` (R, I) and ``B`` (O, R)."""


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
        base = self.base_layer
        if type(base) is not nn.Linear or base.weight.requires_grad or base.weight.dtype != dtype:
            return None
        return lambda: base.weight


def only_adapter(layer: Any, dtype: torch.dtype) -> str | None:
    """The plain adapter of a layer of ``peft``, where it is the only one and all that there is."""
    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return None
    name: str = layer.active_adapters[0]
    is_plain = (
        name in layer.lora_A
        and name not in layer.lora_variant
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and layer.lora_B[name].bias is None
        and layer.lora_A[name].weight.dtype == dtype
    )
    return name if is_plain else None


@dataclass(frozen=True)
class Part:
    """One layer: ``x @ W' + b + scale * (x @ A') @ B'`` with a frozen ``W`` and ``b``."""

    frozen: Frozen
    bias_O: torch.Tensor | None
    pairs: Sequence[Pair]
    scale: float

    def stacked(self) -> Pair:
        """All ``A`` (K, R, I) and all ``B`` (K, O, R)."""
        if len(self.pairs) == 1:
            first, second = self.pairs[0]
            return first.unsqueeze(0), second.unsqueeze(0)
        firsts, seconds = zip(*self.pairs, strict=True)
        return torch.stack(firsts), torch.stack(seconds)


def _adapted(x: torch.Tensor, parts: Sequence[Part]) -> list[torch.Tensor]:
    """What layers say of the same (..., I), each (..., O)."""
    stretches = x.reshape(len(parts[0].pairs), -1, x.shape[-1])
    adapters = [each for part in parts for each in part.stacked()]
    outs = _Adapted.apply(stretches, parts, *adapters)  # type: ignore[no-untyped-call]  # torch's apply
    return [out.view(*x.shape[:-1], -1) for out in outs]


class _Adapted(torch.autograd.Function):
    """Layers that read the same: their first and second adapters come after them, in turns."""

    @staticmethod
    def forward(
        ctx: Any, x_KTI: torch.Tensor, parts: Sequence[Part], *adapters: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        first_KRI, seconds = _joined(adapters[0::2], 1), adapters[1::2]
        narrow_KTR = x_KTI @ first_KRI.mT
        outs = []
        for part, second, narrow in zip(
            parts, seconds, _split(narrow_KTR, seconds, 2), strict=True
        ):
            out_KTO = nn.functional.linear(x_KTI, part.frozen(), part.bias_O)
            outs.append(out_KTO.baddbmm_(narrow.mul_(part.scale), second.mT))
        ctx.save_for_backward(x_KTI, first_KRI, narrow_KTR, *seconds)
        ctx.parts = parts
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x_KTI, first_KRI, narrow_KTR, *seconds = ctx.saved_tensors
        together = list(zip(ctx.parts, gradients, seconds, strict=True))
        to_narrow_KTR = _joined([(g @ second).mul_(part.scale) for part, g, second in together], 2)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = gradients[0] @ ctx.parts[0].frozen()
            rows = to_x.view(-1, to_x.shape[-1])
            for part, g, _ in together[1:]:
                rows.addmm_(g.reshape(-1, g.shape[-1]), part.frozen())
            to_x.baddbmm_(to_narrow_KTR, first_KRI)
        needs = ctx.needs_input_grad[2:]
        to_firsts: Sequence[torch.Tensor | None] = [None] * len(seconds)
        if any(needs[0::2]):
            to_firsts = _split(to_narrow_KTR.mT @ x_KTI, seconds, 1)
        narrows = _split(narrow_KTR, seconds, 2)
        to_seconds = [
            (narrow.mT @ g).mT if need else None
            for narrow, g, need in zip(narrows, gradients, needs[1::2], strict=True)
        ]
        both = zip(to_firsts, to_seconds, strict=True)
        return to_x, None, *(each for pair in both for each in pair)


def _joined(parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), axis)


def _split(
    joined: torch.Tensor, seconds: Sequence[torch.Tensor], axis: int
) -> Sequence[torch.Tensor]:
    """The part of each layer, by the ranks of their second adapters."""
    return torch.split(joined, [second.shape[2] for second in seconds], axis)
