"""LoRA layers of ``peft`` that make fewer passes over memory and keep less for the way back.

A layer adds ``scale * B @ A @ x`` to what its frozen linear layer says. Automatic differentiation
makes the addition, the scale and the sum of both gradients arrays of their own; here they are part
of the matrix products. A frozen weight in 4 bits is unpacked on the way forward and on the way
back, and not kept between. Tests hold the layers to peft's.

Legend: T tokens, I inputs, O outputs, R rank.
"""

from collections.abc import Callable
from typing import Any

import torch
from peft.import_utils import is_bnb_4bit_available
from peft.tuners.lora.layer import Linear
from torch import nn

Frozen = Callable[[], torch.Tensor]
"""Gives a weight (O, I) that does not train, in the number format of its products."""


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


class LeanLora(nn.Module):
    """Comes before a class of ``peft``: where a layer is more than plain LoRA, that one computes.

    A subclass says what its frozen weight is.
    """

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(..., I) to (..., O)."""
        layer: Any = self
        name = None if args or kwargs else only_adapter(layer, x.dtype)
        frozen = self.frozen(x.dtype) if name is not None else None
        if name is None or frozen is None:
            said: torch.Tensor = super().forward(x, *args, **kwargs)
            return said
        first, second = layer.lora_A[name].weight, layer.lora_B[name].weight
        out: torch.Tensor = _Adapted.apply(  # type: ignore[no-untyped-call]  # torch's apply
            x.reshape(-1, x.shape[-1]),
            frozen,
            layer.base_layer.bias,
            first,
            second,
            float(layer.scaling[name]),
        )
        return out.view(*x.shape[:-1], -1)

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


class _Adapted(torch.autograd.Function):
    """``x @ W' + b + scale * (x @ A') @ B'`` with a frozen ``W`` and ``b``."""

    @staticmethod
    def forward(
        ctx: Any,
        x_TI: torch.Tensor,
        frozen: Frozen,
        bias_O: torch.Tensor | None,
        first_RI: torch.Tensor,
        second_OR: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        out_TO = nn.functional.linear(x_TI, frozen(), bias_O)
        narrow_TR = (x_TI @ first_RI.T).mul_(scale)
        ctx.save_for_backward(x_TI, first_RI, second_OR, narrow_TR)
        ctx.frozen, ctx.scale = frozen, scale
        return out_TO.addmm_(narrow_TR, second_OR.T)

    @staticmethod
    def backward(ctx: Any, gradient_TO: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x_TI, first_RI, second_OR, narrow_TR = ctx.saved_tensors
        to_narrow_TR = (gradient_TO @ second_OR).mul_(ctx.scale)
        to_x = to_first = to_second = None
        if ctx.needs_input_grad[0]:
            to_x = (gradient_TO @ ctx.frozen()).addmm_(to_narrow_TR, first_RI)
        if ctx.needs_input_grad[3]:
            to_first = to_narrow_TR.T @ x_TI
        if ctx.needs_input_grad[4]:
            to_second = (narrow_TR.T @ gradient_TO).T
        return to_x, None, None, to_first, to_second, None
