import math

import pytest
import torch

from textune.models import kernels, lean_parts, row_wise, softmax
from textune.models.kernels import compiled, kernels_for
from textune.models.lean import make_lean
from textune.testing import tiny_model

SIZES = [(2, 3, 2, 5, 7), (1, 1, 3, 33, 0), (3, 2, 1, 17, 130)]
"""K, S, G, L, N1; the second part is L long."""


@pytest.fixture
def without(monkeypatch):
    """Torch's operations instead of compiled ones."""

    def switch():
        for module in (row_wise, softmax):
            monkeypatch.setattr(module, "kernels_for", lambda *tensors: None)

    return switch


def products(size, dtype=torch.bfloat16):
    heads, segments, groups, queries, first = size
    maker = torch.Generator().manual_seed(0)
    shape = heads, segments, groups, queries
    parts = [3 * torch.randn(*shape, n, generator=maker) for n in (first, queries)]
    seen = torch.ones(segments, queries, queries).tril().bool()
    prefix = torch.rand(segments, queries, first, generator=maker) < 0.8
    return [part.to(dtype).requires_grad_(True) for part in parts], (prefix, seen)


@pytest.fixture(params=[torch.bfloat16, torch.float32], ids=["bf16", "fp32"])
def dtype(request):
    return request.param


def both_ways(function, inputs, without):
    """Output and gradients, compiled and by torch."""
    found = []
    for way in (lambda: None, without):
        way()
        fresh = [part.detach().clone().requires_grad_(True) for part in inputs]
        out = function(*fresh)
        parts = out if isinstance(out, tuple) else (out,)
        maker = torch.Generator().manual_seed(1)
        gradients = [torch.randn(p.shape, generator=maker).to(p.dtype) for p in parts]
        torch.autograd.backward(parts, gradients)
        found.append([*(p.detach() for p in parts), *(part.grad for part in fresh)])
    return zip(*found, strict=True)


def assert_but_for_rounding(ours, theirs, units=2):
    """Equal but for so many units of each number or of a typical one.

    A unit is bf16's last place; in fp32, where sums have another order, 16 of its last places.
    """
    assert ours.dtype == theirs.dtype or theirs.dtype == torch.float32
    unit = 2**-8 if ours.dtype == torch.bfloat16 else 2**-20
    scale = theirs.abs().float().clamp_min(theirs.float().square().mean().sqrt().item() / 8)
    worst = ((ours.float() - theirs.float()).abs() / scale).max() if theirs.numel() else 0.0
    assert worst <= units * unit


def test_this_machine_compiles_them_and_other_tensors_are_left_to_torch():
    """Where this fails, the tests below compare torch with itself."""
    wide, narrow = torch.zeros(2), torch.zeros(2, dtype=torch.bfloat16)
    for tensor in (wide, narrow):
        assert compiled(tensor.dtype) is not None
        assert kernels_for(tensor, tensor) is compiled(tensor.dtype)
        assert kernels_for(tensor.to("meta")) is None
    assert compiled(torch.float32) is not compiled(torch.bfloat16)
    assert kernels_for(wide, narrow) is None
    assert kernels_for(wide.double()) is None


@pytest.mark.parametrize("rows", [(1, 7, 64), (5, 576)])
def test_a_norm_is_that_of_torch(rows, dtype, without):
    torch.manual_seed(0)
    x, weight = (3 * torch.randn(rows)).to(dtype), torch.randn(rows[-1]).to(dtype)

    def norm(x):
        return lean_parts._Norm.apply(x, weight, 1e-5)

    for ours, theirs in both_ways(norm, [x], without):
        assert_but_for_rounding(ours, theirs)


def test_a_bf16_norm_with_a_weight_in_fp32_is_left_to_torch(without):
    torch.manual_seed(0)
    x, weight = torch.randn(5, 64).bfloat16(), torch.randn(64)
    ours = lean_parts._Norm.apply(x, weight, 1e-5)
    without()
    assert ours.dtype == torch.float32
    assert torch.equal(ours, lean_parts._Norm.apply(x, weight, 1e-5))


def test_a_gated_unit_is_that_of_torch_far_out_too(dtype, without):
    torch.manual_seed(0)
    gate, up = (20 * torch.randn(9, 65)).to(dtype), torch.randn(9, 65).to(dtype)
    gate[0, :4] = torch.tensor([-300.0, 300.0, 0.0, -88.0])
    for ours, theirs in both_ways(lean_parts._Gated.apply, [gate, up], without):
        assert_but_for_rounding(ours, theirs)


def test_rotary_positions_are_those_of_transformers(dtype):
    from transformers.models.llama import modeling_llama

    make_lean(tiny_model("llama"))
    rotation = modeling_llama.apply_rotary_pos_emb
    assert isinstance(rotation, lean_parts.LeanRotation)
    maker = torch.Generator().manual_seed(0)
    angles = torch.rand(1, 9, 8, generator=maker).repeat(1, 1, 2)
    cos, sin = angles.cos().to(dtype), angles.sin().to(dtype)
    found = []
    for rotate in (rotation, rotation.original):
        maker.manual_seed(1)
        parts = [
            torch.randn(1, 9, heads, 16, generator=maker).to(dtype).requires_grad_(True)
            for heads in (4, 2)
        ]
        out = rotate(*(part.transpose(1, 2) for part in parts), cos, sin)
        gradients = [torch.randn(o.shape, generator=maker).to(dtype) for o in out]
        torch.autograd.backward(out, gradients)
        found.append([*out, *(part.grad for part in parts)])
    assert "_Rotated" in type(found[0][0].grad_fn).__name__
    for ours, theirs in zip(*found, strict=True):
        assert_but_for_rounding(ours, theirs)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_masked", [True, False])
@pytest.mark.parametrize("is_compiled", [True, False])
def test_weights_of_two_parts_are_those_of_fp32(size, is_masked, is_compiled, without):
    """Torch in bf16 rounds before its exponentials, so the measure is fp32 on the same inputs."""
    if not is_compiled:
        without()
    parts, (prefix, own) = products(size)
    seen = (prefix if is_masked else None, own)
    exact = [part.detach().float().requires_grad_(True) for part in parts]
    ours = softmax.two_part_softmax(*parts, seen, 0.3)
    theirs = softmax.reference(*exact, seen, 0.3)
    maker = torch.Generator().manual_seed(1)
    gradients = [torch.randn(w.shape, generator=maker).bfloat16() for w in ours]
    torch.autograd.backward(ours, gradients)
    torch.autograd.backward(theirs, [g.float() for g in gradients])
    for got, true in zip(ours, theirs, strict=True):
        assert_but_for_rounding(got, true, units=1 if is_compiled else 8)
    for got, true in zip(parts, exact, strict=True):
        assert_but_for_rounding(got.grad, true.grad, units=16 if is_compiled else 32)


@pytest.mark.parametrize("size", SIZES)
def test_weights_sum_to_one_and_nothing_unseen_has_any(size):
    parts, (prefix, own) = products(size)
    first, second = softmax.two_part_softmax(*parts, (prefix, own), 0.3)
    sums = first.float().sum(-1) + second.float().sum(-1)
    assert torch.allclose(sums, torch.ones(()), atol=1e-2)
    assert not second[..., ~own[0]].any()
    assert not first.masked_select(~prefix[:, None].expand_as(first)).any()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_compiled", [True, False])
def test_gradients_in_fp32_are_those_of_the_reference(size, is_compiled, without):
    if not is_compiled:
        without()
    found = []
    for function in (softmax.two_part_softmax, softmax.reference):
        parts, seen = products(size, torch.float32)
        out = torch.cat(function(*parts, seen, 0.3), -1)
        (out * torch.linspace(-1, 1, out.shape[-1])).sum().backward()
        found.append([out, *(part.grad for part in parts)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_a_row_with_one_place_to_see_gives_it_everything():
    first = torch.full((1, 1, 1, 1, 4), -1e4, dtype=torch.bfloat16)
    seen = torch.tensor([[[False, False, True, False]]])
    weights, _ = softmax.two_part_softmax(first, first[..., :0], (seen, None), 1.0)
    assert weights.flatten().tolist() == [0.0, 0.0, 1.0, 0.0]


def test_who_sees_nothing_gives_no_weight_and_returns_no_gradient(dtype):
    first = torch.randn(1, 1, 1, 2, 4, dtype=dtype, requires_grad=True)
    seen = torch.tensor([[[False] * 4, [True] * 4]])
    weights, _ = softmax.two_part_softmax(first, first[..., :0], (seen, None), 1.0)
    weights.backward(torch.ones_like(weights))
    assert not weights[0, 0, 0, 0].any()
    assert weights[0, 0, 0, 1].sum().item() == pytest.approx(1, abs=1e-2)
    assert torch.isfinite(first.grad).all()


def test_without_a_compiler_or_with_a_bad_one_there_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    assert kernels.compiled.__wrapped__(torch.float32) is None
    bad = tmp_path / "cc"
    bad.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    bad.chmod(0o755)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: str(bad))
    assert kernels.compiled.__wrapped__(torch.float32) is None
    assert not list(tmp_path.rglob("*.so"))


def test_they_are_compiled_once_for_a_source(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path))
    first = kernels.compiled.__wrapped__(torch.float32)
    assert first is not None
    (made,) = tmp_path.rglob("*.so")
    before = made.stat().st_mtime_ns
    assert kernels.compiled.__wrapped__(torch.float32) is not None
    assert made.stat().st_mtime_ns == before


def test_compiling_changes_no_rounding_of_the_process():
    """Flags such as -ffast-math let every later sum lose its smallest numbers."""
    assert all(compiled(dtype) is not None for dtype in kernels.FORMATS)
    tiny = torch.tensor(math.ldexp(1.0, -140))
    assert (tiny * 0.5).item() == math.ldexp(1.0, -141)
