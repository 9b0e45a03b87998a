"""LoRA layers of ``peft`` that make fewer passes over memory and keep less for the way back.

A layer adds ``scale * B @ A @ x`` to what its frozen linear layer says. Automatic differentiation
makes the addition, the scale and the sum of both gradients arrays of their own; here they are part
of the matrix products. Tests hold the layers to peft's.

Legend: T tokens, I inputs, O outputs, R rank.
"""

from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch import nn


def make_lora_lean(adapted: nn.Module) -> None:
    """Let the plain LoRA layers of a model compute leanly, in place; weights and names stay."""
    for module in adapted.modules():
        if type(module) is Linear:
            module.__class__ = LeanLoraLinear


class LeanLoraLinear(Linear):
    """A LoRA layer beside a linear layer; where it is more than that, it computes as peft does."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """(..., I) to (..., O)."""
        name = self._only_adapter(x)
        if name is None or args or kwargs:
            said: torch.Tensor = super().forward(x, *args, **kwargs)
            return said
        base, pair = self.base_layer, (self.lora_A[name].weight, self.lora_B[name].weight)
        out = _Adapted.apply(  # type: ignore[no-untyped-call]  # torch's apply
            x.reshape(-1, x.shape[-1]), base.weight, base.bias, *pair, float(self.scaling[name])
        )
        return out.view(*x.shape[:-1], -1)  # type: ignore[no-any-return]

    def _only_adapter(self, x: torch.Tensor) -> str | None:
        """The adapter, where it is the only one and all that there is."""
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return None
        (name,) = self.active_adapters
        is_plain = (
            name in self.lora_A
            and name not in self.lora_variant
            and isinstance(self.lora_dropout[name], nn.Identity)
            and self.lora_B[name].bias is None
            and type(self.base_layer) is nn.Linear
            and self.lora_A[name].weight.dtype == self.base_layer.weight.dtype == x.dtype
        )
        return name if is_plain and not self.base_layer.weight.requires_grad else None


class _Adapted(torch.autograd.Function):
    """``x @ W' + b + scale * (x @ A') @ B'`` with a frozen ``W`` and ``b``."""

    @staticmethod
    def forward(
        ctx: Any,
        x_TI: torch.Tensor,
        weight_OI: torch.Tensor,
        bias_O: torch.Tensor | None,
        first_RI: torch.Tensor,
        second_OR: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        out_TO = nn.functional.linear(x_TI, weight_OI, bias_O)
        narrow_TR = (x_TI @ first_RI.T).mul_(scale)
        ctx.save_for_backward(x_TI, weight_OI, first_RI, second_OR, narrow_TR)
        ctx.scale = scale
        return out_TO.addmm_(narrow_TR, second_OR.T)

    @staticmethod
    def backward(ctx: Any, gradient_TO: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x_TI, weight_OI, first_RI, second_OR, narrow_TR = ctx.saved_tensors
        to_narrow_TR = (gradient_TO @ second_OR).mul_(ctx.scale)
        to_x = to_first = to_second = None
        if ctx.needs_input_grad[0]:
            to_x = (gradient_TO @ weight_OI).addmm_(to_narrow_TR, first_RI)
        if ctx.needs_input_grad[3]:
            to_first = to_narrow_TR.T @ x_TI
        if ctx.needs_input_grad[4]:
            to_second = (narrow_TR.T @ gradient_TO).T
        return to_x, None, None, to_first, to_second, None
