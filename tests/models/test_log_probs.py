import pytest
import torch

from textune.models import log_probs
from textune.models.log_probs import log_probs_at

PLACES, WORDS = torch.tensor([0, 2, 2, 2, 4]), torch.tensor([7, 0, 299, 299, 3])
"""One place without a chosen word, one with two, of which one is chosen twice."""


def logits(dtype):
    return 4 * torch.randn(5, 300, generator=torch.Generator().manual_seed(0)).to(dtype)


def with_gradient(function, inputs):
    fresh = inputs.clone().requires_grad_(True)
    out = function(fresh)
    (out * torch.tensor([1.0, -2.0, 0.5, 0.25, 3.0])).sum().backward()
    return out.detach(), fresh.grad


def by_torch(logits):
    return logits.float().log_softmax(-1)[PLACES, WORDS]


def ours(logits):
    return log_probs_at(logits, PLACES, WORDS)


@pytest.fixture(params=[True, False], ids=["compiled", "torch"])
def _either(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(log_probs, "kernels_for", lambda *tensors: None)


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_they_and_their_gradient_are_those_of_torch(dtype):
    found, true = with_gradient(ours, logits(dtype)), with_gradient(by_torch, logits(dtype))
    assert found[0].dtype == torch.float32
    assert found[1].dtype == dtype
    torch.testing.assert_close(found[0], true[0], rtol=1e-5, atol=1e-5)
    units = {"rtol": 2**-7, "atol": 1e-6} if dtype == torch.bfloat16 else {}
    torch.testing.assert_close(found[1], true[1], **units)


@pytest.mark.usefixtures("_either")
def test_what_a_sure_word_gives_back_is_not_rounded_away():
    """Of a share near 1 little is left, less than the last place of bf16."""
    sure = torch.zeros(1, 300, dtype=torch.bfloat16)
    sure[0, 7] = 13.0
    fresh = sure.clone().requires_grad_(True)
    log_probs_at(fresh, torch.tensor([0]), torch.tensor([7])).backward(torch.ones(1))
    left = 1 - sure.float().softmax(-1)[0, 7].item()
    assert 0 < left < 2**-9
    assert fresh.grad[0, 7].item() == pytest.approx(left, rel=2**-7)
