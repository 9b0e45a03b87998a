"""The principal part of a weight: what its largest singular values make of it."""

import torch


@torch.no_grad()
def principal_factors(weight: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """``B`` (out, rank) and ``A`` (rank, in), so that ``B @ A`` is the best approximation.

    Both carry the square root of the singular values. From a randomised decomposition with four
    power iterations, a fraction of the time of a full one (Halko, Martinsson and Tropp, 2011,
    arXiv:0909.4061, section 4.5).
    """
    wide = weight.float()
    left, values, right = torch.svd_lowrank(wide, q=min(rank + 8, *wide.shape), niter=4)
    root = values[:rank].sqrt()
    return left[:, :rank] * root, (right[:, :rank] * root).T.contiguous()
