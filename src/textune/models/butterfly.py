"""Butterfly layers of ``peft`` that rotate inputs block by block, on any device.

The originals multiply whole (in, in) matrices, for which they compile a CUDA extension; where they
cannot, they quietly leave out all factors but one. These compute the same from the blocks.

Legend: F factors, D blocks, H width of a block.
"""

from typing import Any

import torch
from peft.tuners.boft import layer as original
from torch import nn
from transformers import PreTrainedModel

_Linear: Any = original.Linear


class Butterfly(_Linear):  # type: ignore[misc]  # the types of peft do not hold
    """A linear layer whose inputs are rotated and whose outputs are scaled.

    ``boft_P`` holds places (F, in) instead of permutation matrices.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``s * (W @ R @ x) + bias``, for one adapter."""
        if self.disable_adapters or self.merged:
            plain: torch.Tensor = super().forward(x)
            return plain
        (adapter,) = self.active_adapters
        result: torch.Tensor = self.base_layer(self._rotated(x, adapter))
        scale = self.boft_s[adapter].squeeze(-1)
        bias = self.base_layer.bias
        result = result * scale if bias is None else (result - bias) * scale + bias
        return result.to(x.dtype)

    def get_delta_weight(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole rotation (in, in) and the scales (out, 1), for merging."""
        scale = self.boft_s[adapter]
        identity = torch.eye(self.in_features, dtype=scale.dtype, device=scale.device)
        return self._rotated(identity, adapter), scale

    def _rotated(self, x: torch.Tensor, adapter: str) -> torch.Tensor:
        raw_FDHH = self.boft_R[adapter]
        rotations_FDHH = self.cayley_batch(raw_FDHH.flatten(0, 1)).view_as(raw_FDHH)
        for places, rotation_DHH in zip(self.boft_P.flip(0), rotations_FDHH.flip(0), strict=True):
            blocks = x[..., places.argsort()].view(*x.shape[:-1], *rotation_DHH.shape[:2])
            turned = torch.einsum("...dh,dhk->...dk", blocks, rotation_DHH.to(x.dtype))
            x = turned.flatten(-2)[..., places]
        return x


def allow_factors() -> None:
    """Let ``peft`` build layers with several factors: it takes the extension for present.

    Its own layers would call it; ours do not.
    """
    vars(original)["_FBD_CUDA"] = True


def quicken(adapted: nn.Module) -> nn.Module:
    """Make every butterfly layer one of ours, in place."""
    layers: list[Any] = [m for m in adapted.modules() if type(m) is original.Linear]
    for layer in layers:
        layer.__class__ = Butterfly
        layer.boft_P = layer.boft_P.argmax(-1)
    return adapted


def linear_widths(model: PreTrainedModel) -> dict[str, int]:
    """Number of inputs of every linear layer but the vocabulary's, by name."""
    head: Any = model.get_output_embeddings()
    linear = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear) and m is not head}
    return {name: module.in_features for name, module in linear.items()}
