import pytest
import torch

from textune.models.principal import principal_factors


@pytest.mark.parametrize("shape", [(48, 20), (20, 48)])
def test_the_factors_are_the_best_approximation_of_a_weight_with_few_large_values(shape):
    torch.manual_seed(0)
    weight = torch.randn(shape[0], 3) @ torch.randn(3, shape[1]) + 0.01 * torch.randn(shape)
    left, right = principal_factors(weight, 3)
    assert (left.shape, right.shape) == ((shape[0], 3), (3, shape[1]))
    u, values, v = torch.linalg.svd(weight)
    torch.testing.assert_close(left @ right, (u[:, :3] * values[:3]) @ v[:3], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(left.norm(dim=0), right.norm(dim=1), atol=1e-4, rtol=1e-4)


def test_a_bf16_weight_is_decomposed_in_fp32():
    left, right = principal_factors(torch.randn(8, 8).to(torch.bfloat16), 8)
    assert {left.dtype, right.dtype} == {torch.float32}
