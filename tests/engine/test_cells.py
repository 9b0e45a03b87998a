import pytest
import torch

from textune.engine import cells
from textune.engine.cells import divide, join
from textune.engine.packing import Item, pack_answers

HEADS, WIDTH = 2, 4
"""Key-value heads and the size of each."""


@pytest.fixture(params=[True, False], ids=["compiled", "torch"])
def dtype(request):
    """Fp32, which a kernel gathers, and a format that is left to torch."""
    if request.param:
        assert cells.kernels_for(torch.zeros(1)) is not None
        return torch.float32
    assert cells.kernels_for(torch.zeros(1, dtype=torch.float64)) is None
    return torch.float64


def layout_of(lengths, prefix):
    """Of items that share a prefix, in as many blocks as their lengths ask for."""
    shared = tuple(range(prefix))
    items = [Item((*shared, 100 + i, *[0] * (n - 1)), (0,)) for i, n in enumerate(lengths)]
    return pack_answers(items)[0].layout


def drawn(tokens, heads, dtype):
    maker = torch.Generator().manual_seed(0)
    return torch.randn(tokens, heads, WIDTH, generator=maker).to(dtype).requires_grad_(True)


def length(layout):
    return layout.in_row + sum(len(block.real_T) for block in layout.blocks) + layout.filling


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(("lengths", "prefix"), [((2, 3, 40), 5), ((7, 9), 0), ((1, 33, 34), 1)])
def test_each_cell_holds_its_head_of_its_token_and_padding_is_zero(lengths, prefix, groups, dtype):
    layout = layout_of(lengths, prefix)
    tokens = drawn(length(layout), HEADS * groups, dtype)
    first, *blocks = divide(tokens, layout.divided(groups))
    by_head = tokens.detach().view(len(tokens), HEADS, groups, WIDTH)
    for head in range(HEADS):
        for group in range(groups):
            at = slice(group * prefix, (group + 1) * prefix)
            assert torch.equal(first[head, at], by_head[:prefix, head, group])
            start = prefix
            left = sorted(lengths)
            for block in blocks:
                whole = block[head].unflatten(1, (groups, -1))[:, group]
                for row in whole:
                    size = left.pop(0)
                    assert torch.equal(row[:size], by_head[start : start + size, head, group])
                    assert not row[size:].any()
                    start += size
            assert not left


@pytest.mark.parametrize("groups", [1, 3])
def test_joining_undoes_dividing_and_leaves_zero_where_nobody_is(groups, dtype):
    layout = layout_of((2, 3, 40), 5)
    assert layout.filling, "the row is filled up"
    division, tokens = layout.divided(groups), drawn(length(layout), HEADS * groups, dtype)
    again = join(divide(tokens, division), division)
    real = len(tokens) - layout.filling
    assert torch.equal(again[:real], tokens[:real])
    assert not again[real:].any()


@pytest.mark.parametrize("groups", [1, 3])
def test_gradients_are_those_of_plain_indexing(groups, dtype):
    layout = layout_of((2, 3, 40, 41), 5)
    assert len(layout.blocks) == 2, "gradients of several blocks come together"
    division = layout.divided(groups)
    tokens = drawn(length(layout), HEADS * groups, dtype)
    parts = divide(tokens, division)
    weights = [torch.arange(1.0, 1 + part.numel(), dtype=dtype).view_as(part) for part in parts]
    loss = sum((w * part.square()).sum() for w, part in zip(weights, parts, strict=True))
    (ours,) = torch.autograd.grad(loss, tokens)
    factors = division.row([2 * w for w in weights])
    assert torch.equal(ours, factors * tokens)
    joined = join(parts, division)
    (back,) = torch.autograd.grad((joined * joined).sum(), tokens)
    real = len(tokens) - layout.filling
    assert torch.equal(back[:real], 2 * tokens[:real])
    assert not back[real:].any()


def test_gradients_of_padding_are_not_passed_on():
    layout = layout_of((2, 3), 0)
    tokens = drawn(length(layout), HEADS, torch.float32)
    parts = [part.detach().requires_grad_(True) for part in divide(tokens, layout.divided())]
    join(parts, layout.divided()).sum().backward()
    (block,) = parts[1:]
    assert block.grad[:, 0, :2].all()
    assert not block.grad[:, 0, 2:].any()
    assert block.grad[:, 1, :3].all()
    assert not block.grad[:, 1, 3:].any()
