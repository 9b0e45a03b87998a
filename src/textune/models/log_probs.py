"""Log-probabilities of few of the words that logits are for.

The gradient is one pass over the logits, in their number format, and nothing of their size is kept
but they themselves. Tests hold it to torch's ``log_softmax``.

Legend: R read places, V words, M chosen ones.
"""

from typing import Any

import torch

from textune.models.kernels import kernels_for


def log_probs_at(
    logits_RV: torch.Tensor, places_M: torch.Tensor, words_M: torch.Tensor
) -> torch.Tensor:
    """Log-probability (M,) in fp32 of each word at its place, in nats; both may repeat."""
    return _Chosen.apply(logits_RV, places_M, words_M)  # type: ignore[no-any-return,no-untyped-call]  # torch's apply


class _Chosen(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits_RV: torch.Tensor, places_M: torch.Tensor, words_M: torch.Tensor
    ) -> torch.Tensor:
        kernels = kernels_for(logits_RV)
        if kernels is None:
            sums_R = logits_RV.float().logsumexp(-1)
        else:
            sums_R = logits_RV.new_empty(len(logits_RV), dtype=torch.float)
            kernels.run("log_sums", logits_RV, sums_R, *logits_RV.shape)
        ctx.save_for_backward(logits_RV, sums_R, places_M, words_M)
        return logits_RV[places_M, words_M].float() - sums_R[places_M]

    @staticmethod
    def backward(ctx: Any, gradient_M: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        logits_RV, sums_R, places_M, words_M = ctx.saved_tensors
        factor_R = torch.zeros_like(sums_R).index_add_(0, places_M, -gradient_M)
        kernels = kernels_for(logits_RV)
        if kernels is None:
            shares_RV = (logits_RV.float() - sums_R[:, None]).exp_()
            to_logits = shares_RV.mul_(factor_R[:, None]).to(logits_RV.dtype)
        else:
            to_logits = torch.empty_like(logits_RV)
            kernels.run("shares", logits_RV, sums_R, factor_R, to_logits, *logits_RV.shape)
        # Of chosen words in fp32, as two large numbers may leave a small one; each of them once.
        chosen, which_M = torch.unique(
            places_M * logits_RV.shape[1] + words_M, return_inverse=True
        )
        places, words = chosen // logits_RV.shape[1], chosen % logits_RV.shape[1]
        share = (logits_RV[places, words].float() - sums_R[places]).exp() * factor_R[places]
        share.index_add_(0, which_M, gradient_M)
        to_logits[places, words] = share.to(to_logits.dtype)
        return to_logits, None, None
