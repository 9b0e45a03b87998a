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

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

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
class Block:
    """Neighbouring segments of a row, alike in length, gathered for attention."""

    gather_SL: torch.Tensor
    """Place among the row's segment tokens of each cell; the block's first where padded."""
    own_SLL: torch.Tensor
    """Which key (last axis) each query may see inside its own segment; padding sees key 0."""
    real_T: torch.Tensor
    """Place in the flattened block of each token, in the row's order."""
    positions_SL: torch.Tensor
    """Position of each cell, counted from the start of the prefix."""
    _seen: dict[int | None, tuple[Seen, Seen]] = field(default_factory=dict)

    def to(self, device: torch.device) -> "Block":
        """The same block with its tensors on a device."""
        return Block(
            gather_SL=self.gather_SL.to(device),
            own_SLL=self.own_SLL.to(device),
            real_T=self.real_T.to(device),
            positions_SL=self.positions_SL.to(device),
        )

    def seen(self, prefix: int, window: int | None) -> tuple[Seen, Seen]:
        """What each query may see of the prefix (S, L, P) and its segment (S, L, L).

        None stands for the whole prefix. The same for every layer, so computed once.
        """
        if window not in self._seen:
            to_prefix, own = None, self.own_SLL
            if window is not None:
                positions = self.positions_SL
                place = torch.arange(prefix, device=own.device)
                to_prefix = positions[:, :, None] - place < window
                own = own & (positions[:, :, None] - positions[:, None, :] < window)
            self._seen[window] = (to_prefix, own)
        return self._seen[window]


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
    in_row = layout.in_row
    prefix = key[0, :, :in_row], value[0, :, :in_row]
    if layout.before is not None:
        keys, values = layout.before.layers[_layer(module)]
        prefix = torch.cat([keys, prefix[0]], 1), torch.cat([values, prefix[1]], 1)
    if layout.record is not None:
        layout.record.layers[_layer(module)] = prefix
    if layout.own is not None:
        layout.own.layers[_layer(module)] = key[0, :, in_row:], value[0, :, in_row:]
    outputs = []
    if in_row:
        outputs.append(_prefix_attention(query[0, :, :in_row], prefix, sliding_window, rule))
    own = tuple(part[0, :, in_row:].transpose(0, 1) for part in (query, key, value))
    for block in layout.blocks:
        seen = block.seen(layout.prefix, sliding_window)
        outputs.append(_block_attention(own, prefix, block, seen, rule))
    if layout.filling:
        outputs.append(value.new_zeros(layout.filling, query.shape[1], value.shape[3]))
    return torch.cat(outputs).unsqueeze(0), None


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
    query: torch.Tensor, prefix: _KeysValues, window: int | None, rule: Rule
) -> torch.Tensor:
    """Causal attention of the prefix's tokens in the row (K*G, R, D) to all of it -> (R, K*G, D).

    The row holds the last R of the prefix's P tokens.
    """
    key, value = prefix
    heads, (size, width), whole = len(key), query.shape[1:], key.shape[1]
    place = torch.arange(whole, device=query.device)
    distance = place[whole - size :, None] - place[None, :]
    seen = distance >= 0
    if window is not None:
        seen = seen & (distance < window)
    folded = query.reshape(heads, -1, width)  # (K, G*R, D)
    products = (folded @ key.transpose(-1, -2)).view(heads, 1, -1, size, whole)
    nothing = products.new_empty((*products.shape[:-1], 0))
    weights, _ = rule.weights(products, nothing, (seen[None], None))
    mixed = weights.reshape(heads, -1, whole) @ value
    return mixed.view(-1, size, width).transpose(0, 1)


def _block_attention(
    own: tuple[torch.Tensor, ...],
    prefix: _KeysValues,
    block: Block,
    seen: tuple[Seen, Seen],
    rule: Rule,
) -> torch.Tensor:
    """Attention of the segments of a block, each to the prefix and itself.

    ``own`` are query (T, K*G, D), key and value (T, K, D) of all segment tokens of the row; gives
    (tokens of the block, K*G, D) in the row's order.
    """
    query, key, value = (_ToBlock.apply(part, block) for part in own)  # type: ignore[no-untyped-call]  # torch's apply
    (segments, longest, _, width), heads = query.shape, key.shape[2]
    groups, size = query.shape[2] // heads, prefix[0].shape[1]
    query = query.view(segments, longest, heads, groups, width)
    query = query.permute(2, 0, 3, 1, 4).reshape(heads, segments, -1, width)  # (K, S, G*L, D)
    key, value = key.permute(2, 0, 1, 3), value.permute(2, 0, 1, 3)  # (K, S, L, D)
    to_own = (query @ key.transpose(-1, -2)).view(heads, segments, groups, longest, longest)
    to_prefix = query.view(heads, -1, width) @ prefix[0].transpose(-1, -2)
    to_prefix = to_prefix.view(heads, segments, groups, longest, size)
    on_prefix, on_own = rule.weights(to_prefix, to_own, seen)
    mixed = on_own.reshape(heads, segments, -1, longest) @ value
    on_prefix = on_prefix.reshape(heads, segments * groups * longest, size)
    mixed = mixed + (on_prefix @ prefix[1]).view_as(mixed)
    mixed = mixed.view(heads, segments, groups, longest, width).permute(1, 3, 0, 2, 4)
    return _ToRow.apply(mixed.reshape(segments * longest, -1, width), block)  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


class _ToBlock(torch.autograd.Function):
    """Tokens (T, heads, D) into a padded block (S, L, heads, D).

    Gradients of padding are zero, so the way back is a plain write.
    """

    @staticmethod
    def forward(ctx: Any, tokens: torch.Tensor, block: Block) -> torch.Tensor:
        ctx.block, ctx.shape = block, tokens.shape
        cells = tokens.index_select(0, block.gather_SL.flatten())
        return cells.view(*block.gather_SL.shape, *tokens.shape[1:])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        real = gradient.flatten(0, 1).index_select(0, ctx.block.real_T)
        start = int(ctx.block.gather_SL[0, 0])
        whole = gradient.new_zeros(ctx.shape)
        whole[start : start + len(real)] = real
        return whole, None


class _ToRow(torch.autograd.Function):
    """The real cells of a padded block, in the row's order."""

    @staticmethod
    def forward(ctx: Any, cells: torch.Tensor, block: Block) -> torch.Tensor:
        ctx.block, ctx.shape = block, cells.shape
        return cells.index_select(0, block.real_T)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient.new_zeros(ctx.shape).index_copy(0, ctx.block.real_T, gradient), None


@contextlib.contextmanager
def attending(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Run a model with the attention of that name, then put back what it had."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def register(name: str, function: Callable[..., Any]) -> None:
    """Let transformers run an attention under that name, without a mask of its own."""
    AttentionInterface.register(name, function)
    AttentionMaskInterface.register(name, _no_mask)


def _no_mask(*_: Any, **__: Any) -> None:
    """Rows and segments say who sees whom, so transformers builds no mask."""


register(NAME, packed_attention)
