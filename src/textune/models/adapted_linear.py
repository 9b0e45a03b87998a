"""Frozen linear layers that read the same, with or without LoRA, as products and nothing else.

A layer says ``x @ W' + b + scale * (x @ A') @ B'`` with a frozen ``W`` and ``b``. Automatic
differentiation makes the addition, the scale and the sum of all gradients arrays of their own;
here they are part of the products, with one product for all ``A``. A weight in 4 bits is unpacked
on the way forward and on the way back, and not kept between. Tests hold the layers to peft's.

Several adapters may stand side by side (``models.side_by_side``): the tokens are divided into
stretches of one length, and each stretch has adapters of its own beside the one frozen weight.

Legend: K adapters that stand side by side, mostly 1; T tokens of each, I inputs, O outputs, R
rank, of all layers that are computed at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

Frozen = Callable[[], torch.Tensor]
"""Gives a weight (O, I) that does not train, in the number format of its products."""
Pair = tuple[torch.Tensor, torch.Tensor]
"""``A`` (R, I) and ``B`` (O, R)."""
Adapters = Sequence[torch.Tensor | None]
"""``A`` and ``B`` of each layer, in turns: as they are, or all K of them; None: it has none."""
Kept = Sequence[torch.Tensor | None]
"""For the way back: x (K, T, I), all ``A`` (K, R, I), ``scale * x @ A'`` (K, T, R), each ``B``.

None where there are no adapters: frozen weights alone need none of it.
"""


@dataclass(frozen=True)
class Part:
    """One layer."""

    frozen: Frozen
    bias_O: torch.Tensor | None
    pairs: Sequence[Pair] = ()
    """Adapters of as many stretches of tokens."""
    scale: float = 1.0

    def adapters(self) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """``A`` (R, I) and ``B`` (O, R), or all of them (K, R, I) and (K, O, R)."""
        if not self.pairs:
            return None, None
        if len(self.pairs) == 1:
            return self.pairs[0]
        firsts, seconds = zip(*self.pairs, strict=True)
        return torch.stack(firsts), torch.stack(seconds)


def frozen_weight(layer: nn.Module, dtype: torch.dtype) -> Frozen | None:
    """The weight of a plain linear layer for inputs of a format; None where it is no such one."""
    if type(layer) is not nn.Linear or layer.weight.dtype != dtype:
        return None
    weight: torch.Tensor = layer.weight
    bias: torch.Tensor | None = layer.bias
    trains = weight.requires_grad or (bias is not None and bias.requires_grad)
    return None if trains else lambda: weight


def part_of(layer: nn.Module, dtype: torch.dtype) -> Part | None:
    """A frozen linear layer, or what a layer with LoRA says of itself (``models.lean_lora``)."""
    said = getattr(type(layer), "part", None)
    if said is not None:
        part: Part | None = said(layer, dtype)
        return part
    frozen = frozen_weight(layer, dtype)
    return None if frozen is None else Part(frozen, layer.bias)  # type: ignore[arg-type]  # torch types it as a module


def adapters_of(parts: Sequence[Part]) -> list[torch.Tensor | None]:
    """What trains beside the frozen weights of layers."""
    return [each for part in parts for each in part.adapters()]


def adapted_linear(
    x_KTI: torch.Tensor, parts: Sequence[Part], adapters: Adapters
) -> tuple[list[torch.Tensor], Kept]:
    """What layers say of the same, each (K, T, O)."""
    outs = [functional.linear(x_KTI, part.frozen(), part.bias_O) for part in parts]
    firsts, seconds = map(_all, (adapters[0::2], adapters[1::2]))
    there = [each for each in firsts if each is not None]
    if not there:
        return outs, (None, None, None, *seconds)
    first_KRI = _joined(there, 1)
    narrow_KTR = torch.bmm(x_KTI, first_KRI.mT)
    _scale(narrow_KTR, parts, seconds)
    for out, second, narrow in zip(outs, seconds, _split(narrow_KTR, seconds, 2), strict=True):
        if second is not None:
            out.baddbmm_(narrow, second.mT)
    return outs, (x_KTI, first_KRI, narrow_KTR, *adapters[1::2])


def adapted_linear_back(
    gradients: Sequence[torch.Tensor],
    parts: Sequence[Part],
    kept: Kept,
    needed: Sequence[bool],
) -> tuple[torch.Tensor | None, list[torch.Tensor | None]]:
    """What goes back to (K, T, I), and to what ``adapters_of`` gives.

    ``needed`` says of what a gradient is asked, in the same order.
    """
    x_KTI, first_KRI, narrow_KTR, *seconds = kept
    to_x = to_narrow_KTR = None
    if first_KRI is not None:
        to_narrow_KTR = _to_narrow(gradients, parts, _all(seconds))
    if needed[0]:
        flat = [g.reshape(-1, g.shape[-1]) for g in gradients]
        rows = torch.mm(flat[0], parts[0].frozen())
        for part, g in zip(parts[1:], flat[1:], strict=True):
            rows.addmm_(g, part.frozen())
        to_x = rows.view(*gradients[0].shape[:-1], -1)
        if first_KRI is not None and to_narrow_KTR is not None:
            to_x.baddbmm_(to_narrow_KTR, first_KRI)
    back: list[torch.Tensor | None] = [None] * (len(needed) - 1)
    if x_KTI is None or narrow_KTR is None or to_narrow_KTR is None or not any(needed[1:]):
        return to_x, back
    back[0::2] = _split(torch.bmm(to_narrow_KTR.mT, x_KTI), seconds, 1)
    narrows = _split(narrow_KTR, seconds, 2)
    back[1::2] = [torch.bmm(narrow.mT, g).mT for narrow, g in zip(narrows, gradients, strict=True)]
    asked = [to if need else None for to, need in zip(back, needed[1:], strict=True)]
    is_one = len(x_KTI) == 1
    return to_x, [to[0] if is_one and to is not None else to for to in asked]


def _to_narrow(
    gradients: Sequence[torch.Tensor], parts: Sequence[Part], seconds: Adapters
) -> torch.Tensor:
    """What goes back to ``x @ A'`` (K, T, R)."""
    each = zip(gradients, seconds, strict=True)
    found = [torch.bmm(g, second) for g, second in each if second is not None]
    to_narrow_KTR = _joined(found, 2)
    _scale(to_narrow_KTR, parts, seconds)
    return to_narrow_KTR


def _scale(narrow_KTR: torch.Tensor, parts: Sequence[Part], seconds: Adapters) -> None:
    """Multiply by the scale of each layer, in place."""
    scales = [
        part.scale for part, second in zip(parts, seconds, strict=True) if second is not None
    ]
    if len(set(scales)) == 1:
        narrow_KTR.mul_(scales[0])
        return
    for part, narrow in zip(parts, _split(narrow_KTR, seconds, 2), strict=True):
        narrow.mul_(part.scale)


def _all(adapters: Adapters) -> Adapters:
    """One of a kind as the only one of K."""
    return [a if a is None or a.dim() == 3 else a.unsqueeze(0) for a in adapters]


def _joined(parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), axis)


def _split(joined: torch.Tensor, seconds: Adapters, axis: int) -> Sequence[torch.Tensor]:
    """The part of each layer, by the ranks of their second adapters."""
    ranks = [0 if second is None else second.shape[-1] for second in seconds]
    return [joined] if len(ranks) == 1 else joined.split_with_sizes(ranks, axis)
