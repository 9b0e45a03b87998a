"""How a packed row is divided: a shared prefix, then every example's own tokens.

Legend: P prefix tokens (all, in the row or before it), K key-value heads, D head size.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import torch

from textune.engine.cells import Block, Division
from textune.models.tile_attention import ALL, EARLIER, Segments
from textune.models.varlen_attention import PackedRow, Sequences

KeysValues = tuple[torch.Tensor, torch.Tensor]
_RULES = {"earlier": EARLIER, "all": ALL}


@dataclass
class PrefixCache:
    """Keys and values (K, P, D) of a prefix, one pair a layer."""

    layers: dict[int, KeysValues] = field(default_factory=dict)

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
    rows: "tuple[Layout, ...]" = ()
    """Where it is several rows of one length, one behind another: how each is divided."""
    _sequences: Sequences | None = field(default=None, init=False)  # a changed copy makes its own

    @cached_property
    def segments(self) -> Segments:
        """The same for attention that reads the row as it lies; made once for all layers."""
        rows = [(0, self.in_row, self.prefix - self.in_row, EARLIER, 0)] if self.in_row else []
        masks, size, tokens = [], 0, self.in_row
        for block in self.blocks:
            width = block.gather_SL.shape[1]
            for length, mask in zip(block.lengths, block.own_SLL, strict=True):
                rows.append((tokens, length, self.prefix, _RULES.get(block.sees, size), width))
                tokens += length
                if block.sees == "as masked":
                    masks.append(mask[:length].flatten())
                    size += masks[-1].numel()
        flat = torch.cat(masks) if masks else torch.empty(0)
        return Segments(torch.tensor(rows), flat.to(torch.uint8), self.in_row, tokens)

    def sequences(self, device: torch.device) -> Sequences:
        """The same for attention of all rows in one call; made once for all layers."""
        if self._sequences is None:
            rows = []
            for row in self.rows or (self,):
                segments = tuple(length for block in row.blocks for length in block.lengths)
                rows.append(PackedRow(row.prefix, row.in_row, segments, row.filling))
            self._sequences = Sequences.of(rows).to(device)
        return self._sequences

    @cached_property
    def sees(self) -> Literal["earlier", "all"] | None:
        """What every token sees of its own: the same for all, or None."""
        rows = self.rows or (self,)
        rules = {block.sees for row in rows for block in row.blocks}
        rules |= {"earlier" for row in rows if row.in_row}
        rule = rules.pop() if len(rules) == 1 else None
        return rule if rule != "as masked" else None

    def reaches(self, window: int | None) -> bool:
        """Whether a window hides something from somebody."""
        longest = max((block.gather_SL.shape[1] for block in self.blocks), default=0)
        return window is not None and window < self.prefix + longest

    def divided(self, groups: int = 1) -> Division:
        """How tokens with so many heads for one key-value head are divided."""
        return Division(self.in_row, self.blocks, self.filling, groups)

    def to(self, device: torch.device) -> "Layout":
        """The same layout with its tensors on a device."""
        blocks = tuple(block.to(device) for block in self.blocks)
        return replace(self, blocks=blocks, rows=tuple(row.to(device) for row in self.rows))
