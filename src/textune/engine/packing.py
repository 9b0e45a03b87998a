"""Token lists -> one row with a shared prefix, and the layout that its attention needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from textune.engine.attention import Block, Layout

WASTE = 1.3
"""Most cells of a padded block for each real token; more blocks cost more calls."""


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


def pack_answers(items: Sequence[Item], *, virtual: int = 0) -> tuple[Row, torch.Tensor]:
    """A training row, and the target token of every read place.

    The last token of an answer is only a target, so it is not in the row. Virtual tokens count as
    the beginning of the prefix. Items stand in the row by length, so that blocks waste little.
    """
    items = sorted(items, key=lambda item: len(item.prompt) + len(item.answer))
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
    row = _row(items[0].prompt[:prefix], segments, Tree(), virtual=virtual, read=read)
    return row, torch.tensor(targets)


def pack_prefix(tokens: Sequence[int], *, virtual: int = 0) -> Row:
    """A row with nothing but the prefix, to fill a cache."""
    return _row(tuple(tokens), [], Tree(), virtual=virtual, read=[])


def pack_prompts(segments: Sequence[tuple[int, ...]], tree: Tree, *, cached: int) -> Row:
    """A scoring row without its prefix (``cached`` tokens, virtual ones included, are in a cache).

    Read places: for each segment its last own token, then every node of the tree.
    """
    read: list[int] = []
    start = 0
    for segment in segments:
        last = start + len(segment) - 1
        read += range(last, last + 1 + len(tree.tokens))
        start = last + 1 + len(tree.tokens)
    return _row((), segments, tree, virtual=0, read=read, offset=cached)


def _row(
    prefix: tuple[int, ...],
    segments: Sequence[tuple[int, ...]],
    tree: Tree,
    *,
    virtual: int,
    read: Sequence[int],
    offset: int = 0,
) -> Row:
    before = virtual + len(prefix) + offset
    lengths = [len(s) + len(tree.tokens) for s in segments]
    starts = [sum(lengths[:i]) for i in range(len(lengths))]
    blocks = tuple(
        _block([len(s) for s in segments[part]], tree, start=starts[part.start], before=before)
        for part in _alike(lengths)
    )
    flat = [*prefix, *(token for s in segments for token in (*s, *tree.tokens))]
    places = [block.positions_SL.flatten()[block.real_T] for block in blocks]
    return Row(
        tokens=torch.tensor(flat, dtype=torch.long),
        positions=torch.cat([torch.arange(offset, before), *places]),
        layout=Layout(before, blocks),
        read=torch.tensor(read, dtype=torch.long),
    )


def _alike(lengths: Sequence[int]) -> list[slice]:
    """Neighbours whose padded block has at most ``WASTE`` times as many cells as real tokens."""
    parts, start = [], 0
    for end in range(1, len(lengths) + 1):
        longer = lengths[start : end + 1]
        if end == len(lengths) or len(longer) * max(longer) > WASTE * sum(longer):
            parts.append(slice(start, end))
            start = end
    return parts


def _block(own: Sequence[int], tree: Tree, *, start: int, before: int) -> Block:
    """Segments with so many own tokens, each followed by the tree, from ``start`` in the row."""
    nodes = len(tree.tokens)
    lengths = torch.tensor(own) + nodes
    column = torch.arange(int(lengths.max()))
    real_SL = column < lengths[:, None]
    starts = start + torch.cumsum(lengths, 0) - lengths
    own_SLL = (column[:, None] >= column) & real_SL[:, None, :] | (column == 0)
    positions_SL = (before + column).repeat(len(own), 1)
    if nodes:
        depths, sees = torch.tensor(tree.depths()), tree.sees()
        for index, length in enumerate(own):
            part = slice(length, length + nodes)
            own_SLL[index, part, part] = sees
            positions_SL[index, part] = before + length - 1 + depths
    return Block(
        gather_SL=torch.where(real_SL, starts[:, None] + column, starts[:1, None]),
        own_SLL=own_SLL,
        real_T=real_SL.flatten().nonzero().squeeze(-1),
        positions_SL=positions_SL,
    )
