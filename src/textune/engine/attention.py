"""Attention over a packed row: one shared prefix, then every example's own tokens.

A row of ``T`` tokens is ``[prefix | segment 1 | segment 2 | ...]``. Each segment attends to the
prefix and to itself, never to another segment; positions restart after the prefix in each. For a
causal model this gives every token exactly the hidden state that it has when its example stands
alone. Keys and values that stand before the row (of a prefix that an earlier row computed, or
trained ones) open the prefix.

Only the attention is gathered into a padded block; everything else of the model sees the row.
Registered with transformers' public attention interface under ``NAME``, so that every decoder that
uses the interface can run it.

Legend: P prefix tokens (all, in the row or before it), S segments, L longest segment, T tokens of
the row, K key-value heads, G query heads of one key-value head, D head size.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface

from textune.engine.cells import Block, Division, divide, join
from textune.models.dropout import dropped
from textune.models.softmax import Seen, two_part_softmax

NAME = "textune_packed"


_KeysValues = tuple[torch.Tensor, torch.Tensor]


@dataclass
class PrefixCache:
    """Keys and values (K, P, D) of a prefix, one pair a layer."""

    layers: dict[int, _KeysValues] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """P; 0 for an empty cache."""
        return next((keys.shape[1] for keys, _ in self.layers.values()), 0)


@dataclass
class Layout:
    """How a row is divided; built by ``engine.packing``."""

    prefix: int
    """P: tokens of the shared prefix, in the row or before it."""
    in_row: int
    """Those of them that are in the row."""
    blocks: tuple[Block, ...]
    """Every segment once, in the row's order."""
    filling: int = 0
    """Tokens at the row's end that belong to nobody; their outputs are zero."""
    before: PrefixCache | None = None
    """Keys and values of the prefix's beginning, which is not in the row."""
    record: PrefixCache | None = None
    """Where to keep the keys and values of the whole prefix."""
    own: PrefixCache | None = None
    """Where to keep those of the segments' tokens, in the row's order."""

    def divided(self, groups: int = 1) -> Division:
        """How tokens with so many heads for one key-value head are divided."""
        return Division(self.in_row, self.blocks, self.filling, groups)

    def to(self, device: torch.device) -> "Layout":
        """The same layout with its tensors on a device."""
        return replace(self, blocks=tuple(block.to(device) for block in self.blocks))


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
    in_row, heads = layout.in_row, key.shape[1]
    asked, shared = layout.divided(query.shape[1] // heads), layout.divided()
    queries, keys, values = (
        divide(part[0].transpose(0, 1), how)
        for part, how in ((query, asked), (key, shared), (value, shared))
    )
    prefix = keys[0], values[0]
    if layout.before is not None:
        before = layout.before.layers[_layer(module)]
        prefix = torch.cat([before[0], prefix[0]], 1), torch.cat([before[1], prefix[1]], 1)
    if layout.record is not None:
        layout.record.layers[_layer(module)] = prefix
    if layout.own is not None:
        layout.own.layers[_layer(module)] = key[0, :, in_row:], value[0, :, in_row:]
    mixed = [queries[0]]
    if in_row:
        mixed = [_prefix_attention(queries[0], prefix, in_row, sliding_window, rule)]
    own = zip(queries[1:], keys[1:], values[1:], strict=True)
    for block, (asks, has, gives) in zip(layout.blocks, own, strict=True):
        seen = block.seen(layout.prefix, sliding_window)
        mixed.append(_block_attention(asks, has, gives, prefix, seen, rule))
    return join(mixed, asked).unsqueeze(0), None


def _layer(module: nn.Module) -> int:
    return int(module.layer_idx)  # type: ignore[arg-type]  # an int, torch types it as a module


@dataclass(frozen=True)
class Rule:
    """What turns products into weights."""

    scale: float
    softcap: float | None
    dropout: float
    """Share of the weights that are dropped; 0 outside training."""

    @classmethod
    def of(
        cls,
        query: torch.Tensor,
        scaling: float | None,
        softcap: float | None,
        dropout: float = 0.0,
    ) -> "Rule":
        """As the model says; without a word the usual scale."""
        return cls(scaling if scaling is not None else query.shape[-1] ** -0.5, softcap, dropout)

    def capped(self, products: torch.Tensor) -> torch.Tensor:
        """Products after the soft cap that some models have."""
        if self.softcap is None:
            return products
        return torch.tanh(products / self.softcap) * self.softcap

    def weights(
        self, to_prefix: torch.Tensor, to_own: torch.Tensor, seen: tuple[Seen, Seen]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention weights on the prefix (K, S, G, L, P) and on the segment (K, S, G, L, L).

        From products that are not scaled yet.
        """
        if self.softcap is None:
            both = two_part_softmax(to_prefix, to_own, seen, self.scale)
        else:
            first, second = (self.capped(part * self.scale) for part in (to_prefix, to_own))
            both = two_part_softmax(first, second, seen, 1.0)
        return dropped(both[0], self.dropout), dropped(both[1], self.dropout)


def _prefix_attention(
    query: torch.Tensor, prefix: _KeysValues, size: int, window: int | None, rule: Rule
) -> torch.Tensor:
    """Causal attention of the prefix's tokens in the row to all of it: (K, G*R, D) both times.

    The row holds the last R (``size``) of the prefix's P tokens.
    """
    key, value = prefix
    heads, whole = key.shape[:2]
    place = torch.arange(whole, device=query.device)
    distance = place[whole - size :, None] - place[None, :]
    seen = distance >= 0
    if window is not None:
        seen = seen & (distance < window)
    products = (query @ key.transpose(-1, -2)).view(heads, 1, -1, size, whole)
    nothing = products.new_empty((*products.shape[:-1], 0))
    weights, _ = rule.weights(products, nothing, (seen[None], None))
    return weights.view(heads, -1, whole) @ value


def _block_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    prefix: _KeysValues,
    seen: tuple[Seen, Seen],
    rule: Rule,
) -> torch.Tensor:
    """Attention of the segments of a block, each to the prefix and itself.

    Query (K, S, G*L, D), key and value (K, S, L, D); gives (K, S, G*L, D).
    """
    (heads, segments, longest, width), size = key.shape, prefix[0].shape[1]
    queries = query.shape[2]  # G*L
    each = heads, segments, queries // longest, longest
    to_own = (query @ key.transpose(-1, -2)).view(*each, longest)
    to_prefix = query.view(heads, -1, width) @ prefix[0].transpose(-1, -2)
    on_prefix, on_own = rule.weights(to_prefix.view(*each, size), to_own, seen)
    mixed = on_own.view(heads, segments, queries, longest) @ value
    on_prefix = on_prefix.view(heads, segments * queries, size)
    return mixed + (on_prefix @ prefix[1]).view_as(mixed)


def register(name: str, function: Callable[..., Any]) -> None:
    """Let transformers run an attention under that name, without a mask of its own."""
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, _no_mask)


def _no_mask(*_: Any, **__: Any) -> None:
    """Rows and segments say who sees whom, so transformers builds no mask."""


register(NAME, packed_attention)
