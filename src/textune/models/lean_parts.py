"""Lean layers: norms, gated units and rotary positions that keep less and pass memory less.

Automatic differentiation of an RMS norm keeps its input and its result in fp32, that of a gated
unit keeps ``silu(gate)`` beside ``gate`` and ``up``: 152 of the 560 MB that one step of LoRA on
SmolLM2-135M kept (8 SciCite sentences, bf16). These compute the same and keep the inputs alone,
in one pass where that is compiled (``models.row_wise``). Tests hold them to the originals.

Legend: N tokens with whatever axes, D width of the model or of a head, F width of the gated unit,
H heads, T tokens of a row.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from textune.models import row_wise
from textune.models.kernels import kernels_for

FAMILIES = ("Llama", "Mistral", "Qwen2", "Qwen3", "SmolLM3", "Granite")
"""Families of transformers whose ``RMSNorm`` and ``MLP`` are written as the ones below."""


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
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        normed, scale, _ = row_wise.norm(x, weight, epsilon)
        ctx.save_for_backward(x, weight, scale)
        return normed

    @staticmethod
    def backward(
        ctx: Any, gradient: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, weight, scale = ctx.saved_tensors
        to_weight = to_x = None
        if ctx.needs_input_grad[1]:
            normed = (x.float() * scale).to(x.dtype)
            to_weight = (gradient * normed).flatten(0, -2).sum(0)
        if ctx.needs_input_grad[0]:
            to_x = row_wise.norm_back(gradient, x, weight, scale)
        return to_x, to_weight, None


class _Rotated(torch.autograd.Function):
    """Heads of a token stay together."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turned(gradient, cos, sin, -1.0), None, None


def _turned(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: float) -> torch.Tensor:
    by_token = x.transpose(1, 2).contiguous()
    return row_wise.turned(by_token, cos, sin, sign).transpose(1, 2)


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return row_wise.gated(gate, up)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return row_wise.gated_back(gradient, *ctx.saved_tensors)
