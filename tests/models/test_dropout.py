import pytest
import torch

from textune.models import dropout
from textune.models.dropout import LeanDropout, dropped

SHAPE = (400, 500)


@pytest.fixture(params=["compiled", "by torch"], autouse=True)
def way(request, monkeypatch):
    if request.param == "by torch":
        monkeypatch.setattr(dropout, "kernels_for", lambda *_: None)
    return request.param


@pytest.fixture(params=[torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def ones(request):
    return torch.ones(SHAPE, dtype=request.param, requires_grad=True)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_p_and_the_rest_makes_up_for_it(p, ones):
    torch.manual_seed(0)
    y = dropped(ones, p)
    num = y.numel()
    share = (y == 0).float().mean().item()
    assert abs(share - p) < 4 * (p * (1 - p) / num) ** 0.5
    scale = torch.tensor(1 / (1 - p)).to(ones.dtype)
    torch.testing.assert_close(y[y != 0], scale.expand(int((y != 0).sum())))


def test_the_way_back_drops_the_same(ones):
    y = dropped(ones, 0.3)
    (gradient,) = torch.autograd.grad(y.sum(), ones)
    torch.testing.assert_close(gradient, y)


def test_the_seed_of_torch_decides_and_no_two_calls_are_alike(ones):
    torch.manual_seed(5)
    first, second = dropped(ones, 0.5), dropped(ones, 0.5)
    torch.manual_seed(5)
    assert torch.equal(dropped(ones, 0.5), first)
    # two independent halves agree in half of their places
    agree = ((first == 0) == (second == 0)).float().mean().item()
    assert abs(agree - 0.5) < 4 * 0.5 / first.numel() ** 0.5


def test_neighbours_columns_and_calls_are_independent():
    torch.manual_seed(0)
    calls = torch.stack([(dropped(torch.ones(4096), 0.5) > 0).float() for _ in range(64)])
    shifted = torch.corrcoef(torch.stack([calls.flatten()[:-1], calls.flatten()[1:]]))[0, 1]
    assert abs(shifted) < 4 / calls.numel() ** 0.5
    across = torch.corrcoef(calls) - torch.eye(64)
    assert across.abs().max() < 5 / 4096**0.5  # the largest of 2,016 pairs


def test_nothing_is_kept_for_the_way_back(ones):
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda each: each):
        dropped(ones, 0.1)
    assert kept == []


def test_the_layer_drops_in_training_alone():
    layer, x = LeanDropout(0.5), torch.ones(100, 100)
    assert torch.equal(layer.eval()(x), x)
    assert (layer.train()(x) == 0).any()


def test_nothing_or_all_can_be_dropped(ones):
    assert torch.equal(dropped(ones, 0.0), ones)
    assert torch.equal(dropped(ones, 1.0), torch.zeros_like(ones))


def test_shapes_alone_can_be_dropped():
    assert dropped(torch.ones(3, 2, device="meta"), 0.1).shape == (3, 2)
