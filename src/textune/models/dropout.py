"""Dropout that keeps no mask: what is dropped follows from keys, and is found again going back.

torch draws each number from one stream, which took 7 % of an encoder's training step on a
processor, and keeps a mask. Where kernels are compiled (``models.kernels``) a number is a function
of its place and of keys that torch's stream gives once a call. The seed of torch decides all of
it; with and without kernels other numbers are dropped.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from textune.models.kernels import kernels_for

KEYS = 2**63 - 1
"""Keys of a call are below."""


class LeanDropout(nn.Dropout):
    """As torch's (Srivastava et al., 2014, JMLR 15, section 4), without a mask."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """The same shape; in evaluation the same numbers."""
        return dropped(input, self.p) if self.training else input


def dropped(x: torch.Tensor, p: float) -> torch.Tensor:
    """Each number is 0 with probability ``p``, or else divided by ``1 - p``."""
    if p == 0.0:
        return x
    if p == 1.0:
        return functional.dropout(x, p)
    return _Dropped.apply(x, p, new_keys())  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


def new_keys() -> int:
    """Keys of one call, from torch's stream."""
    return int(torch.randint(KEYS, (), device="cpu"))


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, p: float, keys: int) -> torch.Tensor:
        ctx.p, ctx.keys = p, keys
        return _dropped_by(keys, x, p)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _dropped_by(ctx.keys, gradient, ctx.p), None, None


def _dropped_by(keys: int, x: torch.Tensor, p: float) -> torch.Tensor:
    """The same numbers at every call with the same keys."""
    x = x.contiguous()
    kernels = kernels_for(x)
    if kernels is not None:
        y = torch.empty_like(x)
        kernels.run("drop", x, y, x.numel(), keys, p)
        return y
    if x.device.type == "meta":  # shapes alone
        return torch.empty_like(x)
    generator = torch.Generator(x.device).manual_seed(keys)
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= p
    return x * kept / (1.0 - p)
