"""Attention of packed rows in tiles of bf16, where a processor multiplies them itself.

It does so in a matrix unit (AMX) or in vectors (AVX512-BF16); both read the same tiles. Products
and weights stay in the cache, and are computed again on the way back; no token is padded in
memory. Elsewhere ``engine.by_cells`` does the same with torch's products, which is what tests
compare with.

Legend: T tokens of the row, N segments, K key-value heads, H query heads, D head size, P keys
before the row.
"""

import functools
from dataclasses import dataclass
from typing import Any

import torch

from textune.models.device import bf16_products, device_name
from textune.models.dropout import new_keys
from textune.models.kernels import Kernels, library

Factors = tuple[float, float, int]
"""Scale of products, dropout of weights, and the keys of what is dropped."""
EARLIER, ALL = -1, -2
"""Instead of a place among the masks: a token sees itself and earlier ones, or all."""


@dataclass(frozen=True)
class Segments:
    """Who sees whom in a row: every token some keys of a prefix, and some of its own segment."""

    table_N5: torch.Tensor
    """Start in the row, tokens, keys of the prefix that are seen, place and width of the mask."""
    masks: torch.Tensor
    """Bytes (tokens, width) of each segment that has a mask, one behind another."""
    in_row: int
    """Tokens that open the row as the prefix of the others."""
    tokens: int
    """Tokens of all segments; what is behind them in the row is nobody's."""


@functools.cache
def tiles() -> Kernels | None:
    """The kernels, compiled now or before; None where the processor does not multiply bf16."""
    kernels = library("attention.c") if bf16_products() else None
    return kernels if kernels is not None and kernels.run("tiles_allowed") else None


def attends_on_tiles(query: torch.Tensor) -> bool:
    """Whether this processor attends so with queries (..., D).

    Shapes alone (the device ``meta``) are forecasts of what this machine will do.
    """
    is_here = query.device.type == "cpu" or (query.is_meta and device_name() == "cpu")
    fits = is_here and query.dtype == torch.bfloat16 and query.shape[-1] % 32 == 0
    return fits and tiles() is not None


def tile_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    before: tuple[torch.Tensor, torch.Tensor],
    segments: Segments,
    scale: float,
    dropout: float = 0.0,
) -> torch.Tensor:
    """Results (T, H, D) of queries (T, H, D), keys and values (T, K, D), and those before.

    These are (K, P, D). With dropout each weight is 0 with that probability, or else divided by
    the rest (Srivastava et al., 2014, JMLR 15, section 4); torch's seed decides which.
    """
    keys = new_keys() if dropout else 0
    return _Attended.apply(query, key, value, *before, segments, (scale, dropout, keys))  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


class _Attended(torch.autograd.Function):
    """Keeps what it was given, its result and one number for each query."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        keys_before: torch.Tensor,
        values_before: torch.Tensor,
        segments: Segments,
        factors: Factors,
    ) -> torch.Tensor:
        query, key, value = query.contiguous(), key.contiguous(), value.contiguous()
        prefix = _prefix(keys_before, key, segments), _prefix(values_before, value, segments)
        out, logs = torch.empty_like(query), query.new_empty(query.shape[:2], dtype=torch.float)
        _run("attention_forward", (query, key, value, *prefix), segments, (out, logs), factors)
        out[segments.tokens :] = 0
        ctx.save_for_backward(query, key, value, keys_before, values_before, out, logs)
        ctx.segments, ctx.factors = segments, factors
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, keys_before, values_before, out, logs = ctx.saved_tensors
        segments: Segments = ctx.segments
        prefix = _prefix(keys_before, key, segments), _prefix(values_before, value, segments)
        given = query, key, value, *prefix
        back = [torch.empty_like(each) for each in given]
        results = gradient.contiguous(), out, logs, *back
        _run("attention_backward", given, segments, results, ctx.factors)
        of_before = []
        for to_row, to_prefix in zip(back[1:3], back[3:], strict=True):
            size = to_prefix.shape[1] - segments.in_row
            to_row[: segments.in_row] += to_prefix[:, size:].transpose(0, 1)
            of_before.append(to_prefix[:, :size])
        for each in back[:3]:
            each[segments.tokens :] = 0
        return *back[:3], *of_before, None, None


def _prefix(before_KPD: torch.Tensor, row_TKD: torch.Tensor, segments: Segments) -> torch.Tensor:
    """Keys or values before the row and of its first tokens, heads first."""
    return torch.cat([before_KPD, row_TKD[: segments.in_row].transpose(0, 1)], 1)


def _run(
    name: str,
    given: tuple[torch.Tensor, ...],
    segments: Segments,
    results: tuple[torch.Tensor, ...],
    factors: Factors,
) -> None:
    if given[0].is_meta:  # shapes alone
        return
    kernels = tiles()
    assert kernels is not None, "the caller asks for tiles"
    query, key, prefix = given[0], given[1], given[3]
    heads, table = key.shape[1], segments.table_N5
    sizes = len(table), heads, query.shape[1] // heads, query.shape[2], prefix.shape[1]
    room = kernels.run("attention_room", table, *sizes, int(name == "attention_backward"))
    scratch = torch.empty(room, dtype=torch.uint8)
    kernels.run(name, *given, table, segments.masks, *results, scratch, *sizes, *factors)
