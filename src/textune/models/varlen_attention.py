"""Attention of packed rows in one call, where a GPU does the work.

Each segment is a sequence of its own, whose keys are those of its prefix and then its own; torch's
attention of sequences of various lengths (FlashAttention-2: Dao, 2023, arXiv:2307.08691) takes all
sequences of all rows together. Queries stay as they lie; keys and values of a prefix are copied
for each segment that sees them.

Legend: T tokens of the rows, N keys (those before the first row, then T), M the same with every
copy, P keys of a prefix, S sequences, K key-value heads, H query heads, D head size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn

from textune.models.device import device_name

FORMATS = torch.bfloat16, torch.float16
WIDEST = 256
"""The largest head size that the kernel takes; it must be a multiple of ``EVEN``."""
EVEN = 8
OLDEST = 8, 0
"""Compute capability from which on it runs."""


@dataclass(frozen=True)
class PackedRow:
    """A row in tokens: its prefix, how much of that is in the row, segments, and filling."""

    prefix: int
    in_row: int
    segments: tuple[int, ...]
    filling: int


@dataclass(frozen=True)
class Sequences:
    """Which queries see which keys."""

    queries: torch.Tensor
    """Where each sequence starts among the queries, and where the last one ends (S + 1,)."""
    keys: torch.Tensor
    """The same among the copies of keys."""
    longest: tuple[int, int]
    """Most queries and most keys of a sequence."""
    copied: torch.Tensor
    """Which of the N keys each copy is (M,)."""
    own: tuple[torch.Tensor, torch.Tensor]
    """Keys that one sequence alone sees, and their only copies."""
    prefixes: tuple[tuple[int, torch.Tensor], ...]
    """The first key of each prefix, and its copies (sequences, P)."""

    @classmethod
    def of(cls, rows: Sequence[PackedRow]) -> "Sequences":
        """Of rows behind each other; what stands before the first one opens its prefix."""
        sizes, copied, own, prefixes = [(0, 0)], [], [], []
        first = copy = 0  # among keys, among copies
        for row in rows:
            prefix, token = torch.arange(first, first + row.prefix), first + row.prefix
            of_prefix = []
            own_sizes = [(0, row.in_row)] if row.in_row else []
            own_sizes += [(size, size) for size in row.segments]
            for size, queries in own_sizes:
                of_prefix.append(copy)
                copied += [prefix, torch.arange(token, token + size)]
                own.append(copy + row.prefix + torch.arange(size))
                sizes.append((queries, row.prefix + size))
                token, copy = token + size, copy + row.prefix + size
            if row.filling:
                copied.append(torch.arange(token, token + row.filling))
                own.append(copy + torch.arange(row.filling))
                sizes.append((row.filling, row.filling))
                token, copy = token + row.filling, copy + row.filling
            starts = torch.tensor(of_prefix, dtype=torch.long)
            prefixes.append((first, starts[:, None] + torch.arange(row.prefix)))
            first = token
        of_queries, of_keys = zip(*sizes, strict=True)
        copies, every = torch.cat(own), torch.cat(copied)
        return cls(
            queries=torch.tensor(of_queries, dtype=torch.int32).cumsum(0, dtype=torch.int32),
            keys=torch.tensor(of_keys, dtype=torch.int32).cumsum(0, dtype=torch.int32),
            longest=(max(of_queries), max(of_keys)),
            copied=every,
            own=(every[copies], copies),
            prefixes=tuple(prefixes),
        )

    def to(self, device: torch.device) -> "Sequences":
        """The same with its tensors on a device."""
        return Sequences(
            self.queries.to(device),
            self.keys.to(device),
            self.longest,
            self.copied.to(device),
            (self.own[0].to(device), self.own[1].to(device)),
            tuple((first, copies.to(device)) for first, copies in self.prefixes),
        )


def attends_at_once(query: torch.Tensor) -> bool:
    """Whether a GPU takes queries (..., D) in one call.

    Shapes alone (the device ``meta``) are forecasts of what this machine will do.
    """
    width = query.shape[-1]
    if query.dtype not in FORMATS or width % EVEN or width > WIDEST:
        return False
    if query.is_cuda or (query.is_meta and device_name() == "cuda"):
        return torch.cuda.get_device_capability() >= OLDEST
    return False


def attend_at_once(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    sequences: Sequences,
    scale: float,
    both_ways: bool = False,
    window: int | None = None,
) -> torch.Tensor:
    """Results (T, H, D) of queries (T, H, D), keys and values (N, K, D).

    The last keys of a sequence are those of its queries. A query sees them up to its own, or all
    ``both_ways``; with a ``window`` so many, its own included.
    """
    behind = -1 if window is None else window - 1
    mixed = varlen_attn(
        query,
        _Copied.apply(key, sequences),  # type: ignore[no-untyped-call]  # torch's apply
        _Copied.apply(value, sequences),  # type: ignore[no-untyped-call]  # torch's apply
        sequences.queries,
        sequences.keys,
        *sequences.longest,
        scale=scale,
        window_size=(behind, -1 if both_ways else 0),
        enable_gqa=True,
    )
    assert isinstance(mixed, torch.Tensor)  # nothing besides was asked for
    return mixed


class _Copied(torch.autograd.Function):
    """Keys as sequences read them (M, K, D); gradients of a prefix are summed in fp32."""

    @staticmethod
    def forward(ctx: Any, keys: torch.Tensor, sequences: Sequences) -> torch.Tensor:
        ctx.sequences, ctx.shape = sequences, keys.shape
        return keys.index_select(0, sequences.copied)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        sequences: Sequences = ctx.sequences
        back = gradient.new_empty(ctx.shape)
        places, copies = sequences.own
        back.index_copy_(0, places, gradient.index_select(0, copies))
        for first, each in sequences.prefixes:
            summed = gradient[each].sum(0, dtype=torch.float32)
            back[first : first + each.shape[1]] = summed.to(back.dtype)
        return back, None
