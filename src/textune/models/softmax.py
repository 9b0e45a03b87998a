"""Softmax over two parts of a row of products at once, with what may not be seen left out.

Legend: K key-value heads, S segments, G query heads of one key-value head, L queries of a segment,
N1 and N2 places of the parts.
"""

from typing import Any

import torch

from textune.models.kernels import kernels_for

Seen = torch.Tensor | None
"""Which places (S, L, N) each query may see; None: all."""


def two_part_softmax(
    first: torch.Tensor,
    second: torch.Tensor,
    seen: tuple[Seen, Seen],
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights of both parts (K, S, G, L, N1) and (K, S, G, L, N2); together they sum to 1.

    Products are multiplied by ``scale`` first. A query that sees no place, as
    padding under a short window, gets finite numbers that mean nothing.
    """
    return _TwoParts.apply(first, second, seen, scale)  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


def reference(
    first: torch.Tensor,
    second: torch.Tensor,
    seen: tuple[Seen, Seen],
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same by torch's operations, with what they keep for the way back."""
    parts = [
        part * scale if of is None else hide(part * scale, of[:, None])
        for part, of in zip((first, second), seen, strict=True)
    ]
    weights = torch.cat(parts, -1).softmax(-1)
    size = first.shape[-1]
    return weights[..., :size], weights[..., size:]


def hide(products: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Products with those that may not be seen at the lowest number."""
    return products.masked_fill(~seen, torch.finfo(products.dtype).min)


class _TwoParts(torch.autograd.Function):
    """Keeps the weights alone for the way back; one pass over memory where it is compiled."""

    @staticmethod
    def forward(
        ctx: Any,
        first: torch.Tensor,
        second: torch.Tensor,
        seen: tuple[Seen, Seen],
        scale: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        parts = first.contiguous(), second.contiguous()
        kernels = kernels_for(*parts)
        if kernels is None:
            together = reference(first, second, seen, scale)
            weights = together[0].contiguous(), together[1].contiguous()
        else:
            weights = torch.empty_like(parts[0]), torch.empty_like(parts[1])
            masks = (None if of is None else of.contiguous() for of in seen)
            sizes = *first.shape, second.shape[-1]
            kernels.run("softmax_forward", *parts, *masks, *weights, *sizes, scale)
        ctx.save_for_backward(*weights)
        ctx.scale = scale
        return weights

    @staticmethod
    def backward(
        ctx: Any, *gradients: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        weights = ctx.saved_tensors
        kernels = kernels_for(*weights)
        if kernels is None:
            mixed = [w * g for w, g in zip(weights, gradients, strict=True)]
            mean = sum(part.sum(-1, keepdim=True) for part in mixed)
            back = [(m - w * mean) * ctx.scale for w, m in zip(weights, mixed, strict=True)]
        else:
            given = [gradient.contiguous() for gradient in gradients]
            back = [torch.empty_like(part) for part in weights]
            sizes = weights[0].shape[:-1].numel(), *(part.shape[-1] for part in weights)
            kernels.run("softmax_backward", *weights, *given, *back, *sizes, ctx.scale)
        return back[0], back[1], None, None
