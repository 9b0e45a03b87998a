"""Norms, gated units and rotary positions on whole arrays, forward and back.

One pass over memory where kernels are compiled (``models.kernels``), else by torch's operations,
which round at the same places; tests hold the two together. What makes layers of them is
``models.lean_parts`` and ``models.lean_layer``.

Legend: N tokens with whatever axes, D width of the model or of a head, F width of the gated unit,
H heads, T tokens of a row.
"""

import torch
from torch.nn import functional

from textune.models.kernels import kernels_for


def norm(
    x: torch.Tensor, weight: torch.Tensor, epsilon: float, beside: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """``weight * x / rms(x)`` (N, D), ``1 / rms(x)`` (N, 1) in fp32, and x.

    Sums are in fp32, with one rounding before the weight, as in the layers of transformers. With
    ``beside`` (N, D), x is the sum of both.
    """
    arrays = (x, weight) if beside is None else (x, beside, weight)
    kernels = kernels_for(*arrays)
    if kernels is None:
        summed = x if beside is None else x + beside
        wide = summed.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
        return weight * (wide * scale).to(x.dtype), scale, summed
    summed = x if beside is None else torch.empty_like(x)
    normed, scale = torch.empty_like(x), x.new_empty((*x.shape[:-1], 1), dtype=torch.float)
    size = scale.numel(), len(weight)
    kernels.run("norm_forward", x, beside, weight, summed, normed, scale, *size, epsilon)
    return normed, scale, summed


def norm_back(
    gradient: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor,
    beside: torch.Tensor | None = None,
) -> torch.Tensor:
    """What goes back to x (N, D), and what goes there ``beside`` (N, D) added to it."""
    arrays = [gradient.contiguous(), x, weight]
    kernels = kernels_for(*arrays, *(() if beside is None else (beside,)))
    if kernels is not None:
        to_x = torch.empty_like(x)
        kernels.run("norm_backward", *arrays, scale, beside, to_x, scale.numel(), len(weight))
        return to_x
    normed, to_normed = x.float() * scale, (gradient * weight).float()
    along = (to_normed * normed).mean(-1, keepdim=True)
    to_x = ((to_normed - normed * along) * scale).to(x.dtype)
    return to_x if beside is None else to_x + beside


def gated(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """``silu(gate) * up`` of (N, F)."""
    kernels = kernels_for(gate, up)
    if kernels is None:
        return functional.silu(gate) * up
    out = torch.empty_like(gate)
    kernels.run("gated_forward", gate, up, out, gate.numel())
    return out


def gated_back(
    gradient: torch.Tensor, gate: torch.Tensor, up: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What goes back to both."""
    kernels = kernels_for(gate, up)
    if kernels is None:
        to_up = gradient * functional.silu(gate)
        return torch.ops.aten.silu_backward(gradient * up, gate), to_up
    back = torch.empty_like(gate), torch.empty_like(up)
    kernels.run("gated_backward", gradient.contiguous(), gate, up, *back, gate.numel())
    return back


def turned(
    x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, sign: float = 1.0
) -> torch.Tensor:
    """Rotary positions of the heads of a row's tokens (1, T, H, D); cosine and sine (1, T, D).

    Both are alike in their halves, so the way back is the same with the sign -1.
    """
    kernels = kernels_for(x, cosine, sine)
    if kernels is not None:
        out = torch.empty_like(x)
        kernels.run("rotate", x, cosine, sine, out, *x.shape[1:], sign)
        return out
    first, second = x.chunk(2, -1)
    turn = sine[:, :, None] * sign
    return x * cosine[:, :, None] + torch.cat((-second, first), -1) * turn
