import pytest
import torch

from textune.models.device import bf16_products
from textune.models.tile_attention import (
    ALL,
    EARLIER,
    Segments,
    attends_on_tiles,
    tile_attention,
    tiles,
)

needs_tiles = pytest.mark.skipif(
    bf16_products() is None, reason="no products of bf16 on this processor"
)

MASK = "mask"
CASES = {
    "a prefix in the row": (3, 3, 64, 0, 75, [(50, EARLIER), (33, EARLIER), (64, EARLIER)]),
    "a prefix before it, too": (2, 2, 32, 40, 30, [(10, EARLIER), (1, EARLIER)]),
    "labels as a tree": (1, 4, 96, 21, 0, [(25, MASK), (31, MASK), (3, MASK)]),
    "texts that share nothing": (2, 1, 32, 0, 0, [(20, ALL), (70, ALL), (32, ALL)]),
    "more rows than fit at once": (1, 6, 128, 0, 100, [(300, EARLIER), (200, MASK)]),
    "more segments than groups": (2, 2, 64, 10, 40, [(9 * n + 1, EARLIER) for n in range(11)]),
}
"""K, G, D, keys before the row, tokens of the prefix in it, and the segments."""


def segments_of(before, in_row, asked):
    rows = [(0, in_row, before, EARLIER, 0)] if in_row else []
    masks, start = [], in_row
    maker = torch.Generator().manual_seed(0)
    for length, rule in asked:
        width = length + -length % 32
        if rule == MASK:
            rule = sum(mask.numel() for mask in masks)
            mask = torch.rand(length, width, generator=maker) < 0.5
            mask[:, length:] = False
            masks.append(mask | (torch.arange(length)[:, None] == torch.arange(width)))
        rows.append((start, length, before + in_row, rule, width))
        start += length
    flat = torch.cat([mask.flatten() for mask in masks]) if masks else torch.empty(0)
    return Segments(torch.tensor(rows), flat.to(torch.uint8), in_row, start)


def drawn(case, filling=7):
    """Queries, keys and values of a row in bf16, and keys and values before it."""
    heads, groups, width, before, in_row, asked = case
    tokens = in_row + sum(length for length, _ in asked) + filling
    maker = torch.Generator().manual_seed(1)
    row = [(tokens, heads * groups, width), (tokens, heads, width), (tokens, heads, width)]
    shapes = [*row, (heads, before, width), (heads, before, width)]
    return [torch.randn(shape, generator=maker).bfloat16() for shape in shapes]


def attended(inputs, segments, scale):
    query, key, value, *before = inputs
    return tile_attention(query, key, value, tuple(before), segments, scale)


def reference(inputs, segments, scale):
    """The same in fp32, a segment at a time, with whole softmaxes."""
    query, key, value, *before = inputs
    groups, in_row = query.shape[1] // key.shape[1], segments.in_row
    every = [
        torch.cat([b, x[:in_row].transpose(0, 1)], 1)
        for b, x in zip(before, (key, value), strict=True)
    ]
    outs = []
    for start, length, shared, rule, width in segments.table_N5.tolist():
        part = slice(start, start + length)
        keys, values = (
            torch.cat([p[:, :shared], x[part].transpose(0, 1)], 1).repeat_interleave(groups, 0)
            for p, x in zip(every, (key, value), strict=True)
        )
        own = torch.ones(length, length, dtype=torch.bool)
        if rule == EARLIER:
            own = own.tril()
        elif rule >= 0:
            own = segments.masks[rule : rule + length * width].view(length, width)[:, :length] > 0
        seen = torch.cat([torch.ones(length, shared, dtype=torch.bool), own], 1)
        products = query[part].transpose(0, 1) @ keys.transpose(1, 2) * scale
        weights = products.masked_fill(~seen, -torch.inf).softmax(-1)
        outs.append((weights @ values).transpose(0, 1))
    filling = query.new_zeros(len(query) - segments.tokens, *query.shape[1:])
    return torch.cat([*outs, filling])


def with_gradients(function, inputs, segments):
    fresh = [each.detach().clone().requires_grad_(True) for each in inputs]
    out = function(fresh, segments, inputs[0].shape[-1] ** -0.5)
    maker = torch.Generator().manual_seed(2)
    gradient = torch.randn(out.shape, generator=maker).bfloat16()
    out.backward(gradient.to(out.dtype))
    return [out.detach(), *(each.grad for each in fresh)]


@needs_tiles
def test_this_machine_compiles_it_and_other_queries_are_left_to_torch():
    """Where this fails, packed rows are attended as on any other machine, and slower."""
    query = torch.zeros(4, 64, dtype=torch.bfloat16)
    assert tiles() is not None
    assert attends_on_tiles(query)
    assert not any(attends_on_tiles(other) for other in (query.float(), query[:, :40]))


def test_a_processor_without_tiles_has_none(monkeypatch):
    monkeypatch.setattr("textune.models.device.processor", lambda: ["flags", ":", "avx2"])
    assert tiles.__wrapped__() is None


@needs_tiles
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_results_and_gradients_are_those_of_fp32_but_for_rounding(case):
    inputs, segments = drawn(case), segments_of(*case[3:])
    ours = with_gradients(attended, inputs, segments)
    theirs = with_gradients(reference, [each.float() for each in inputs], segments)
    for got, true in zip(ours, theirs, strict=True):
        assert got.shape == true.shape
        errors, typical = (got.float() - true).abs(), true.square().mean().sqrt()
        assert errors.norm() <= 2**-8 * true.norm()
        assert (errors <= 2**-4 * (true.abs() + typical)).all()


@needs_tiles
def test_tokens_of_nobody_get_nothing_and_give_nothing():
    case = CASES["a prefix in the row"]
    inputs, segments = drawn(case), segments_of(*case[3:])
    for each in inputs[:3]:
        each[segments.tokens :] = torch.nan
    out, *gradients = with_gradients(attended, inputs, segments)
    assert not out[segments.tokens :].any()
    assert not any(each[segments.tokens :].any() for each in gradients[:3])
    assert all(torch.isfinite(each).all() for each in (out, *gradients))


@needs_tiles
def test_numbers_far_from_each_other_are_weighted_as_in_fp32():
    case = CASES["a prefix before it, too"]
    inputs, segments = drawn(case), segments_of(*case[3:])
    inputs[0] *= 60
    ours = attended(inputs, segments, 1.0)
    theirs = reference([each.float() for each in inputs], segments, 1.0)
    assert (ours.float() - theirs).abs().max() <= 2**-6 * theirs.abs().max()


@needs_tiles
@pytest.mark.parametrize("name", ["more rows than fit at once", "more segments than groups"])
def test_results_repeat_with_any_number_of_threads(name):
    case = CASES[name]
    inputs, segments = drawn(case), segments_of(*case[3:])
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3, 2):
        torch.set_num_threads(threads)
        found.append(with_gradients(attended, inputs, segments))
    torch.set_num_threads(before)
    for each in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], each, strict=True))


def dropping(inputs, segments, scale, *, seed=0, dropout=0.3):
    torch.manual_seed(seed)
    query, key, value, *before = inputs
    return tile_attention(query, key, value, tuple(before), segments, scale, dropout)


@needs_tiles
def test_a_share_of_weights_is_dropped_and_the_way_back_drops_the_same():
    """With as many values as keys, each a unit vector, results are the weights themselves."""
    before, in_row, length, heads, groups, width = 32, 0, 32, 2, 3, 64
    segments = segments_of(before, in_row, [(length, EARLIER)])
    case = heads, groups, width, before, in_row, [(length, EARLIER)]
    inputs = drawn(case, filling=0)
    units = torch.eye(width).bfloat16().expand(heads, -1, -1)
    shown = [*inputs[:2], units[:, before:].transpose(0, 1), inputs[3], units[:, :before]]
    whole, left = attended(shown, segments, 0.125), dropping(shown, segments, 0.125)
    seen = torch.ones(length, width, dtype=torch.bool).tril(before)[:, None].expand_as(whole)
    kept = left != 0
    assert not left[~seen].any()
    assert kept[seen].float().mean().item() == pytest.approx(0.7, abs=0.02)
    for axis in (0, 2):  # no key and no token is dropped or kept as a whole
        share = kept[..., :before].float().mean(axis)
        assert (share - 0.7).abs().max() < 0.35
    torch.testing.assert_close(left[kept], (whole / 0.7)[kept], rtol=2**-6, atol=1e-3)
    assert torch.equal(left, dropping(shown, segments, 0.125))
    assert not torch.equal(left, dropping(shown, segments, 0.125, seed=1))

    def exact(inputs, segments, scale):
        query, key, value, *before = inputs
        keys, values = (
            torch.cat([b.transpose(0, 1), x]) for b, x in zip(before, (key, value), strict=True)
        )
        keys, values = (x.repeat_interleave(groups, 1).transpose(0, 1) for x in (keys, values))
        products = query.transpose(0, 1) @ keys.transpose(1, 2) * scale
        weights = products.masked_fill(~seen.transpose(0, 1), -torch.inf).softmax(-1)
        return (weights * kept.transpose(0, 1) / 0.7 @ values).transpose(0, 1)

    ours = with_gradients(dropping, inputs, segments)
    theirs = with_gradients(exact, [each.float() for each in inputs], segments)
    for got, true in zip(ours, theirs, strict=True):
        assert (got.float() - true).norm() <= 2**-8 * true.norm()


@needs_tiles
def test_a_forecast_keeps_what_a_step_keeps():
    """Of shapes alone: inputs, results and one number for each query, but no weights."""
    case = CASES["a prefix before it, too"]
    segments, kept = segments_of(*case[3:]), []
    for device in ("cpu", "meta"):
        inputs = [each.to(device).requires_grad_(True) for each in drawn(case)]
        seen = []

        def keep(tensor, seen=seen):
            seen.append((tuple(tensor.shape), tensor.dtype))
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            out = attended(inputs, segments, 0.1)
        assert (out.shape, out.device.type) == (inputs[0].shape, device)
        kept.append(seen)
    assert kept[0] == kept[1]
    assert len(kept[0]) == 7
