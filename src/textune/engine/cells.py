"""Tokens of a row as attention multiplies them: heads first, segments of a block padded alike.

One pass over memory each way. The way back of one is the other, so a gradient is written once and
nothing has to be summed. Padding is zero, in cells and in their gradients.

Legend: R tokens of the prefix in the row, S segments, L longest segment, T tokens of the row,
K key-value heads, G query heads of one key-value head, D head size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from textune.models.kernels import kernels_for
from textune.models.softmax import Seen


@dataclass
class Block:
    """Neighbouring segments of a row, alike in length, gathered for attention."""

    lengths: tuple[int, ...]
    """Tokens of each segment."""
    gather_SL: torch.Tensor
    """Place among the row's segment tokens of each cell; -1 where padded."""
    own_SLL: torch.Tensor
    """Which key (last axis) each query may see inside its own segment; padding sees key 0."""
    real_T: torch.Tensor
    """Place in the flattened block of each token, in the row's order."""
    positions_SL: torch.Tensor
    """Position of each cell, counted from the start of the prefix."""
    sees: Literal["earlier", "all", "as masked"]
    """What tokens see of their segment: themselves and earlier ones, all, or as own_SLL says."""
    _seen: dict[int | None, tuple[Seen, Seen]] = field(default_factory=dict)
    _places: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def to(self, device: torch.device) -> "Block":
        """The same block with its tensors on a device."""
        return Block(
            lengths=self.lengths,
            gather_SL=self.gather_SL.to(device),
            own_SLL=self.own_SLL.to(device),
            real_T=self.real_T.to(device),
            positions_SL=self.positions_SL.to(device),
            sees=self.sees,
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

    def places(self, heads: int, groups: int) -> tuple[torch.Tensor, torch.Tensor]:
        """For each cell (K, S, G, L) its head of a token, and for each of those its cell.

        Counted through flattened heads of tokens (T, K, G) and flattened cells; -1 is padding.
        """
        if (heads, groups) not in self._places:
            (segments, longest), device = self.gather_SL.shape, self.gather_SL.device
            head_KG = torch.arange(heads * groups, device=device).view(heads, groups)
            token_SL = self.gather_SL[None, :, None]
            to_cells = token_SL * head_KG.numel() + head_KG[:, None, :, None]
            cell = torch.arange(to_cells.numel(), device=device)
            cell = cell.view(heads, segments, groups, longest).permute(1, 3, 0, 2)
            to_row = cell.reshape(segments * longest, -1)[self.real_T]
            self._places[heads, groups] = to_cells.where(token_SL >= 0, -1), to_row
        return self._places[heads, groups]


@dataclass(frozen=True)
class Division:
    """A row as blocks behind a prefix, and as many query heads as share a key-value head."""

    in_row: int
    blocks: tuple[Block, ...]
    filling: int
    groups: int = 1

    def cells(self, tokens_THD: torch.Tensor) -> Iterator[torch.Tensor]:
        """The prefix's tokens (K, G*R, D), then each block's cells (K, S, G*L, D)."""
        (_, all_heads, width), groups = tokens_THD.shape, self.groups
        heads = all_heads // groups
        prefix, own = tokens_THD[: self.in_row], tokens_THD[self.in_row :].reshape(-1, width)
        prefix = prefix.view(self.in_row, heads, groups, width).permute(1, 2, 0, 3)
        yield prefix.reshape(heads, groups * self.in_row, width)
        for block in self.blocks:
            to_cells, _ = block.places(heads, groups)
            out = own.new_empty(heads, len(block.gather_SL), to_cells[0, 0].numel(), width)
            gather(own, to_cells, out)
            yield out

    def row(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """The tokens (T, K*G, D) of such parts; those that fill the row up are zero."""
        (heads, _, width), groups = parts[0].shape, self.groups
        sizes = [self.in_row, *(len(block.real_T) for block in self.blocks), self.filling]
        row = parts[0].new_empty(sum(sizes), heads * groups, width)
        prefix, *own, filling = torch.split(row, sizes)
        by_head = parts[0].view(heads, groups, self.in_row, width).permute(2, 0, 1, 3)
        prefix.view(self.in_row, heads, groups, width).copy_(by_head)
        for block, part, tokens in zip(self.blocks, parts[1:], own, strict=True):
            gather(part.reshape(-1, width), block.places(heads, groups)[1], tokens)
        filling.zero_()
        return row


def divide(tokens_THD: torch.Tensor, division: Division) -> tuple[torch.Tensor, ...]:
    """``Division.cells``, with their gradient."""
    return _Divided.apply(tokens_THD, division)  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


def join(parts: Sequence[torch.Tensor], division: Division) -> torch.Tensor:
    """``Division.row``, with its gradient."""
    return _Joined.apply(division, *parts)  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


def gather(rows_ND: torch.Tensor, index: torch.Tensor, out: torch.Tensor) -> None:
    """Write the rows that an index names, in its order, into ``out``; zeros for -1."""
    kernels = kernels_for(rows_ND, out)
    if kernels is not None:
        kernels.run("gather", rows_ND, index, out, index.numel(), rows_ND.shape[-1])
        return
    chosen = rows_ND.index_select(0, index.flatten().clamp(min=0))
    out.view_as(chosen).copy_(chosen.masked_fill_(index.view(-1, 1) < 0, 0))


class _Divided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tokens: torch.Tensor, division: Division) -> tuple[torch.Tensor, ...]:
        ctx.division = division
        return tuple(division.cells(tokens))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.division.row(gradients), None


class _Joined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, division: Division, *parts: torch.Tensor) -> torch.Tensor:
        ctx.division = division
        return division.row(parts)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        return None, *ctx.division.cells(gradient)
