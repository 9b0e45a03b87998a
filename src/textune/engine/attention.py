"""Attention over a packed row: one shared prefix, then every example's own tokens.

A row of ``T`` tokens is ``[prefix | segment 1 | segment 2 | ...]``. Each segment attends to the
prefix and to itself, never to another segment; positions restart after the prefix in each. For a
causal model this gives every token exactly the hidden state that it has when its example stands
alone. Keys and values that stand before the row (of a prefix that an earlier row computed, or
trained ones) open the prefix. Several rows may stand behind each other; each keeps to itself.

Where the processor multiplies bf16, attention reads the row as it lies
(``models.tile_attention``); a GPU takes all rows in one call (``models.varlen_attention``).
Elsewhere, and for rules that those do not know, it gathers a row into padded blocks
(``engine.by_cells``).
Everything else of the model sees the row. Registered with transformers' public attention
interface under ``NAME``, so that every decoder that uses the interface can run it.

Legend: P prefix tokens (all, in the row or before it), T tokens of the row, K key-value heads, G
query heads of one key-value head, D head size.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface

from textune.engine.by_cells import Rule, by_cells
from textune.engine.layout import KeysValues, Layout
from textune.models.tile_attention import attends_on_tiles, tile_attention
from textune.models.varlen_attention import attend_at_once, attends_at_once

NAME = "textune_packed"


def packed_attention(  # noqa: PLR0913  # the signature is that of transformers
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    layout: Layout,
    sliding_window: int | None = None,
    softcap: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """The function that transformers calls: query (1, K*G, T, D), key and value (1, K, T, D).

    Gives (1, T, K*G, D), everything in the model's number format (torch sums softmax in fp32).
    """
    assert attention_mask is None, "a packed row carries its own mask"
    rule = Rule.of(query, scaling, softcap, dropout)
    tokens = [part[0].transpose(0, 1) for part in (query, key, value)]
    keys, values = key[0], value[0]
    before = keys[:, :0], values[:, :0]
    if layout.before is not None:
        before = layout.before.layers[_layer(module)]
    _keep(layout, module, before, (keys, values))
    if layout.sees is not None and rule.is_plain and not dropout and attends_at_once(query):
        return _at_once(tokens, before, layout, sliding_window, rule.scale)[None], None
    rows = layout.rows or (layout,)
    each = zip(rows, *(part.chunk(len(rows)) for part in tokens), strict=True)
    mixed = [_row_attention(qkv, before, row, sliding_window, rule) for row, *qkv in each]
    return (mixed[0] if len(rows) == 1 else torch.cat(mixed)).unsqueeze(0), None


def _at_once(
    tokens: Sequence[torch.Tensor],
    before: KeysValues,
    layout: Layout,
    window: int | None,
    scale: float,
) -> torch.Tensor:
    """Results (T, K*G, D) of all rows, which have one rule."""
    query, *row = tokens
    keys, values = (torch.cat([b.transpose(0, 1), r]) for b, r in zip(before, row, strict=True))
    sequences = layout.sequences(query.device)
    return attend_at_once(query, keys, values, sequences, scale, layout.sees == "all", window)


def _row_attention(
    row: Sequence[torch.Tensor],
    before: KeysValues,
    layout: Layout,
    window: int | None,
    rule: Rule,
) -> torch.Tensor:
    """Results (T, K*G, D) of a row's queries (T, K*G, D), keys and values (T, K, D)."""
    query, key, value = row
    if rule.is_plain and not layout.reaches(window) and attends_on_tiles(query):
        segments = layout.segments
        return tile_attention(query, key, value, before, segments, rule.scale, rule.dropout)
    return by_cells(query, key, value, before, layout, window, rule)


def _keep(layout: Layout, module: nn.Module, before: KeysValues, row: KeysValues) -> None:
    """Put keys and values (K, T, D) where the layout wants them."""
    size = layout.in_row
    if layout.record is not None:
        keys, values = (torch.cat([b, r[:, :size]], 1) for b, r in zip(before, row, strict=True))
        layout.record.layers[_layer(module)] = keys, values
    if layout.own is not None:
        layout.own.layers[_layer(module)] = row[0][:, size:], row[1][:, size:]


def _layer(module: nn.Module) -> int:
    return int(module.layer_idx)  # type: ignore[arg-type]  # an int, torch types it as a module


def register(name: str, function: Callable[..., Any]) -> None:
    """Let transformers run an attention under that name, without a mask of its own."""
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, _no_mask)


def _no_mask(*_: Any, **__: Any) -> None:
    """Rows and segments say who sees whom, so transformers builds no mask."""


register(NAME, packed_attention)
