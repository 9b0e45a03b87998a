import pytest
import torch
from torch import nn

from textune.core.errors import StoreError
from textune.models.weights import load_weights, save_weights


def test_weights_come_back_as_they_were(tmp_path):
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(first, tmp_path / "w.safetensors")
    load_weights(second, tmp_path / "w.safetensors")
    assert torch.equal(first.weight, second.weight)


def test_weights_that_are_missing_damaged_or_of_another_shape_are_named(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(StoreError, match=r"damaged weights .*w\.safetensors"):
        load_weights(nn.Linear(3, 2), path)
    save_weights(nn.Linear(3, 3), path)
    with pytest.raises(StoreError, match=r"damaged weights .*w\.safetensors"):
        load_weights(nn.Linear(3, 2), path)
    path.write_bytes(b"{}")
    with pytest.raises(StoreError, match=r"damaged weights .*w\.safetensors"):
        load_weights(nn.Linear(3, 2), path)
