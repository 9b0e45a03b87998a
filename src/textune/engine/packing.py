"""Token lists -> one row with a shared prefix, and the layout that its attention needs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn import functional

from textune.engine.cells import Block
from textune.engine.layout import Layout

WASTE = 1.3
"""Most cells of a padded block for each real token; more blocks cost more calls."""
ROUND = 32
"""Rows and blocks are filled up to a multiple of so many tokens. Matrix libraries build and keep a
kernel for every shape they meet, and the heap breaks up when no two steps have the same one."""


@dataclass(frozen=True)
class Item:
    """One example as tokens: the whole prompt, and the answer with its end token (or none)."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...] = ()


@dataclass(frozen=True)
class Row:
    """One packed row.

    ``tokens`` (T,) and ``positions`` (V + T,), where V virtual tokens stand before the row;
    ``read`` are the places whose logits are wanted, in the same count as ``layout`` (V included).
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    layout: Layout
    read: torch.Tensor

    def to(self, device: torch.device) -> "Row":
        """The same row on a device."""
        tensors = (self.tokens, self.positions, self.read)
        tokens, positions, read = (tensor.to(device) for tensor in tensors)
        return Row(tokens, positions, self.layout.to(device), read)


@dataclass(frozen=True)
class Tree:
    """Tokens that follow every segment's own ones, each seeing its ancestors among them."""

    tokens: tuple[int, ...] = ()
    parents: tuple[int, ...] = ()
    """Index of the parent inside ``tokens``, -1 for a child of the segment's last token."""

    def depths(self) -> list[int]:
        """1 for a child of the segment's last token, and so on."""
        found: list[int] = []
        for parent in self.parents:
            found.append(1 if parent < 0 else found[parent] + 1)
        return found

    def sees(self) -> torch.Tensor:
        """(M, M) bool: each node sees itself and its ancestors."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


def longest(items: Sequence[Item], number: int) -> list[Item]:
    """So many of the longest items, shortest first: no batch of that size has more tokens."""
    return sorted(items, key=lambda item: len(item.prompt) + len(item.answer))[-number:]


def shared_prefix(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with; at least one token of each stays outside."""
    if not prompts:
        return 0
    ordered = [tuple(p) for p in prompts]
    low, high = min(ordered), max(ordered)  # whatever these two share, all share
    limit = min(len(p) for p in prompts) - 1
    same = 0
    while same < limit and low[same] == high[same]:
        same += 1
    return same


def pack_answers(
    items: Sequence[Item], *, virtual: int = 0, before: int = 0
) -> tuple[Row, torch.Tensor]:
    """A training row, and the target token of every read place.

    The last token of an answer is only a target, so it is not in the row. ``virtual`` tokens open
    the row, ``before`` tokens stand in front of it; both count as the beginning of the prefix.
    Items stand in the row by length, so that blocks waste little.
    """
    items = longest(items, len(items))
    prefix = shared_prefix([item.prompt for item in items])
    segments = [item.prompt[prefix:] + item.answer[:-1] for item in items]
    read: list[int] = []
    targets: list[int] = []
    start = virtual + prefix
    for item, segment in zip(items, segments, strict=True):
        first = start + len(item.prompt) - prefix - 1
        read += range(first, first + len(item.answer))
        targets += item.answer
        start += len(segment)
    trees = [Tree()] * len(segments)
    shared = items[0].prompt[:prefix]
    row = _row(shared, segments, trees, virtual=virtual, before=before, read=read)
    return row, torch.tensor(targets)


def pack_labels(
    prompts: Sequence[tuple[int, ...]],
    trees: Sequence[Tree],
    *,
    virtual: int = 0,
    before: int = 0,
) -> Row:
    """A training row: the shared prefix, then each prompt's own tokens with its tree.

    Read places: for each prompt its last token, then every node of its tree. Trees have one size.
    """
    prefix = shared_prefix(prompts)
    segments = [prompt[prefix:] for prompt in prompts]
    read = _tree_places(segments, len(trees[0].tokens), start=virtual + prefix)
    shared = prompts[0][:prefix]
    return _row(shared, segments, trees, virtual=virtual, before=before, read=read)


def pack_prefix(tokens: Sequence[int], *, virtual: int = 0, before: int = 0) -> Row:
    """A row with nothing but the prefix, to fill a cache."""
    return _row(tuple(tokens), [], [], virtual=virtual, before=before, read=[])


def pack_prompts(segments: Sequence[tuple[int, ...]], tree: Tree, *, before: int) -> Row:
    """A scoring row whose prefix, virtual tokens included, stands before it.

    Read places: for each segment its last own token, then every node of the tree.
    """
    read = _tree_places(segments, len(tree.tokens), start=0)
    return _row((), segments, [tree] * len(segments), virtual=0, before=before, read=read)


def pack_whole(texts: Sequence[tuple[int, ...]]) -> Row:
    """A row for an encoder: texts that share nothing, all tokens of each see each other.

    They should stand by length, so that blocks waste little. Nothing is read by place.
    """
    return _row((), texts, [Tree()] * len(texts), virtual=0, before=0, read=[], both_ways=True)


def behind_each_other(rows: Sequence[Row]) -> Row:
    """One row of several, each filled up to the longest; each attends to itself alone.

    Nothing stands before any of them.
    """
    size = max(len(row.tokens) for row in rows)
    filling = [size - len(row.tokens) for row in rows]
    layouts = [
        replace(row.layout, filling=row.layout.filling + more)
        for row, more in zip(rows, filling, strict=True)
    ]
    each = list(zip(rows, filling, strict=True))
    return Row(
        tokens=torch.cat([functional.pad(row.tokens, (0, more)) for row, more in each]),
        positions=torch.cat([functional.pad(row.positions, (0, more)) for row, more in each]),
        layout=Layout(0, 0, (), rows=tuple(layouts)),
        read=torch.cat([row.read + place * size for place, row in enumerate(rows)]),
    )


def _tree_places(segments: Sequence[tuple[int, ...]], nodes: int, *, start: int) -> list[int]:
    """Each segment's last own token and the nodes after it."""
    read: list[int] = []
    for segment in segments:
        last = start + len(segment) - 1
        start = last + 1 + nodes
        read += range(last, start)
    return read


def _row(
    prefix: tuple[int, ...],
    segments: Sequence[tuple[int, ...]],
    trees: Sequence[Tree],
    *,
    virtual: int,
    before: int,
    read: Sequence[int],
    both_ways: bool = False,
) -> Row:
    in_row = virtual + len(prefix)
    whole = [(*s, *tree.tokens) for s, tree in zip(segments, trees, strict=True)]
    lengths = [len(tokens) for tokens in whole]
    blocks = tuple(
        _block(
            [len(s) for s in segments[part]],
            trees[part],
            start=sum(lengths[: part.start]),
            before=before + in_row,
            both_ways=both_ways,
        )
        for part in _alike(lengths)
    )
    flat = [*prefix, *(token for tokens in whole for token in tokens)]
    places = [block.positions_SL.flatten()[block.real_T] for block in blocks]
    filling = rounded(virtual + len(flat)) - virtual - len(flat)
    nobody = torch.zeros(filling, dtype=torch.long)
    return Row(
        tokens=torch.tensor([*flat, *[0] * filling], dtype=torch.long),
        positions=torch.cat([torch.arange(before, before + in_row), *places, nobody]),
        layout=Layout(before + in_row, in_row, blocks, filling),
        read=torch.tensor(read, dtype=torch.long),
    )


def rounded(size: int) -> int:
    """So many tokens, filled up to a multiple of ``ROUND``."""
    return size + -size % ROUND


def _alike(lengths: Sequence[int]) -> list[slice]:
    """Neighbours whose padded block has at most ``WASTE`` times as many cells as real tokens."""
    parts, start = [], 0
    for end in range(1, len(lengths) + 1):
        longer = lengths[start : end + 1]
        if end == len(lengths) or len(longer) * max(longer) > WASTE * sum(longer):
            parts.append(slice(start, end))
            start = end
    return parts


def _block(
    own: Sequence[int], trees: Sequence[Tree], *, start: int, before: int, both_ways: bool
) -> Block:
    """Segments with so many own tokens, each followed by its tree, from ``start`` in the row.

    A token sees those before it, or all of its segment ``both_ways``.
    """
    nodes = len(trees[0].tokens)
    lengths = torch.tensor(own) + nodes
    column = torch.arange(rounded(int(lengths.max())))
    real_SL = column < lengths[:, None]
    starts = start + torch.cumsum(lengths, 0) - lengths
    earlier_LL = (column[:, None] >= column) | both_ways
    own_SLL = earlier_LL & real_SL[:, None, :] | (column == 0)
    positions_SL = (before + column).repeat(len(own), 1)
    if nodes:
        shapes = {tree: (torch.tensor(tree.depths()), tree.sees()) for tree in set(trees)}
        for index, (length, tree) in enumerate(zip(own, trees, strict=True)):
            depths, sees = shapes[tree]
            part = slice(length, length + nodes)
            own_SLL[index, part, part] = sees
            positions_SL[index, part] = before + length - 1 + depths
    return Block(
        lengths=tuple(lengths.tolist()),
        gather_SL=torch.where(real_SL, starts[:, None] + column, -1),
        own_SLL=own_SLL,
        real_T=real_SL.flatten().nonzero().squeeze(-1),
        positions_SL=positions_SL,
        sees="as masked" if nodes else "all" if both_ways else "earlier",
    )
