"""Attention of packed rows with torch's products, gathered into blocks of padded segments.

Any model, number format and machine can run it; ``models.tile_attention`` does the same faster
where it can.

Legend: P prefix tokens (all, in the row or before it), S segments, L longest segment, T tokens of
the row, K key-value heads, G query heads of one key-value head, D head size.
"""

from dataclasses import dataclass

import torch

from textune.engine.cells import divide, join
from textune.engine.layout import KeysValues, Layout
from textune.models.dropout import dropped
from textune.models.softmax import Seen, two_part_softmax


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
        usual = query.shape[-1] ** -0.5
        return cls(usual if scaling is None else scaling, softcap, float(dropout))

    @property
    def is_plain(self) -> bool:
        """Whether it is a softmax of scaled products, whose weights may be dropped."""
        return self.softcap is None and self.dropout < 1

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


def by_cells(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    before: KeysValues,
    layout: Layout,
    window: int | None,
    rule: Rule,
) -> torch.Tensor:
    """Results (T, K*G, D) of queries (T, K*G, D), keys and values (T, K, D), and those before."""
    in_row, heads = layout.in_row, key.shape[1]
    asked, shared = layout.divided(query.shape[1] // heads), layout.divided()
    ways = (query, asked), (key, shared), (value, shared)
    queries, keys, values = (divide(part, how) for part, how in ways)
    prefix = _behind(before[0], keys[0]), _behind(before[1], values[0])
    mixed = [queries[0]]
    if in_row:
        mixed = [_prefix_attention(queries[0], prefix, in_row, window, rule)]
    own = zip(queries[1:], keys[1:], values[1:], strict=True)
    for block, (asks, has, gives) in zip(layout.blocks, own, strict=True):
        seen = block.seen(layout.prefix, window)
        mixed.append(_block_attention(asks, has, gives, prefix, seen, rule))
    return join(mixed, asked)


def _behind(before_KPD: torch.Tensor, in_row_KPD: torch.Tensor) -> torch.Tensor:
    """The whole prefix; no copy where nothing stands before the row."""
    if not before_KPD.shape[1]:
        return in_row_KPD
    return torch.cat([before_KPD, in_row_KPD], 1)


def _prefix_attention(
    query: torch.Tensor, prefix: KeysValues, size: int, window: int | None, rule: Rule
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
    prefix: KeysValues,
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
