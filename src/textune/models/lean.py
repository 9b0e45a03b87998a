"""Lean layers: norms, gated units, rotary positions, dropout that keep less and pass memory less.

Automatic differentiation of an RMS norm keeps its input and its result in fp32, that of a gated
unit keeps ``silu(gate)`` beside ``gate`` and ``up``: 152 of the 560 MB that one step of LoRA on
SmolLM2-135M kept (8 SciCite sentences, bf16). These compute the same and keep the inputs alone.
Where kernels are compiled (``models.kernels``) they make one pass. Tests hold them to the
originals.

Legend: N tokens with whatever axes, D width of the model or of a head, F width of the gated unit,
H heads, T tokens of a row.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from textune.models.dropout import LeanDropout
from textune.models.kernels import kernels_for

FAMILIES = ("Llama", "Mistral", "Qwen2", "Qwen3", "SmolLM3", "Granite")
"""Families of transformers whose ``RMSNorm`` and ``MLP`` are written as the ones below."""


def make_lean(model: nn.Module) -> None:
    """Let layers of known families compute leanly, in place; weights and names stay."""
    for module in model.modules():
        name = type(module).__name__
        if name in _names("RMSNorm"):
            module.__class__ = _lean(LeanNorm, type(module))
        elif name in _names("MLP") and type(module.act_fn).__name__ in ("SiLU", "SiLUActivation"):
            module.__class__ = _lean(LeanUnit, type(module))
        elif name in _names("Attention"):
            _rotate_leanly(type(module).__module__)
        elif type(module) is nn.Dropout:
            module.__class__ = LeanDropout


def _names(suffix: str) -> set[str]:
    return {family + suffix for family in FAMILIES}


def _lean(mixin: type, original: type) -> type:
    return type(original.__name__, (mixin, original), {})


def _rotate_leanly(module_name: str) -> None:
    """Put the lean rotation in the place of the function that a family's attention calls.

    It is the same for every model of the process, and the original where no kernel can do it.
    """
    module = sys.modules[module_name]
    original = module.apply_rotary_pos_emb
    if not isinstance(original, LeanRotation):
        vars(module)["apply_rotary_pos_emb"] = LeanRotation(original)


class LeanRotation:
    """Rotary positions (Su et al., 2021, arXiv:2104.09864, section 3.4) of queries and keys."""

    def __init__(self, original: Callable[..., tuple[torch.Tensor, torch.Tensor]]) -> None:
        functools.update_wrapper(self, original)
        self.original = original

    def __call__(
        self, q: torch.Tensor, k: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, **rest: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As the original: q and k (1, H, T, D), cos and sin (1, T, D)."""
        if rest or not all(_can_rotate(part, cos, sin) for part in (q, k)):
            return self.original(q, k, cos, sin, **rest)
        first, second = (_Rotated.apply(part, cos, sin) for part in (q, k))  # type: ignore[no-untyped-call]  # torch's apply
        return first, second


def _can_rotate(part: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> bool:
    """Whether a kernel can: one row whose heads lie together for each token."""
    is_one_row = part.shape[0] == cos.shape[0] == 1 and part.shape[-1] == cos.shape[-1]
    return is_one_row and kernels_for(part.transpose(1, 2), cos, sin) is not None


class LeanNorm:
    """Root mean square normalisation (Zhang and Sennrich, 2019, arXiv:1910.07467, section 4)."""

    weight: torch.Tensor
    variance_epsilon: float

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """(N, D) to (N, D)."""
        normed: torch.Tensor = _Norm.apply(hidden_states, self.weight, self.variance_epsilon)  # type: ignore[no-untyped-call]  # torch's apply
        return normed


class LeanUnit:
    """Gated linear unit with SiLU (Shazeer, 2020, arXiv:2002.05202, section 2)."""

    gate_proj: nn.Module
    up_proj: nn.Module
    down_proj: nn.Module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, D) to (N, D), through width F."""
        mixed = _Gated.apply(self.gate_proj(x), self.up_proj(x))  # type: ignore[no-untyped-call]  # torch's apply
        down: torch.Tensor = self.down_proj(mixed)
        return down


class _Norm(torch.autograd.Function):
    """``weight * x / rms(x)``: sums in fp32, one rounding before the weight, as the originals."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        kernels = kernels_for(x, weight)
        if kernels is not None:
            normed, scale = torch.empty_like(x), x.new_empty((*x.shape[:-1], 1), dtype=torch.float)
            kernels.run(
                "norm_forward", x, weight, normed, scale, scale.numel(), len(weight), epsilon
            )
            ctx.save_for_backward(x, weight, scale)
            return normed
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
        ctx.save_for_backward(x, weight, scale)
        return weight * (wide * scale).to(x.dtype)

    @staticmethod
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, weight, scale = ctx.saved_tensors
        to_weight = to_x = None
        kernels = kernels_for(x, weight)
        if kernels is not None and not ctx.needs_input_grad[1]:
            to_x, size = torch.empty_like(x), (scale.numel(), len(weight))
            kernels.run("norm_backward", gradient.contiguous(), x, weight, scale, to_x, *size)
            return to_x, None, None
        normed = x.float() * scale
        if ctx.needs_input_grad[1]:
            to_weight = (gradient * normed.to(x.dtype)).flatten(0, -2).sum(0)
        if ctx.needs_input_grad[0]:
            to_normed = (gradient * weight).float()
            along = (to_normed * normed).mean(-1, keepdim=True)
            to_x = ((to_normed - normed * along) * scale).to(x.dtype)
        return to_x, to_weight, None


class _Rotated(torch.autograd.Function):
    """Rotation by the compiled kernel; heads of a token stay together."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(gradient, cos, sin, -1.0), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: float) -> torch.Tensor:
    by_token = x.transpose(1, 2).contiguous()  # (1, T, H, D)
    out, kernels = torch.empty_like(by_token), kernels_for(by_token, cos, sin)
    assert kernels is not None
    kernels.run("rotate", by_token, cos, sin, out, *by_token.shape[1:], sign)
    return out.transpose(1, 2)


class _Gated(torch.autograd.Function):
    """``silu(gate) * up``."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        kernels = kernels_for(gate, up)
        if kernels is not None:
            out = torch.empty_like(gate)
            kernels.run("gated_forward", gate, up, out, gate.numel())
            return out
        return functional.silu(gate) * up

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gate, up = ctx.saved_tensors
        kernels = kernels_for(gate, up)
        if kernels is not None:
            back = torch.empty_like(gate), torch.empty_like(up)
            kernels.run("gated_backward", gradient.contiguous(), gate, up, *back, gate.numel())
            return back
        to_up = gradient * functional.silu(gate)
        return torch.ops.aten.silu_backward(gradient * up, gate), to_up
