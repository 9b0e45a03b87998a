"""LoRA layers on weights in 4 bits that compute leanly; imported where bitsandbytes is at hand."""

from typing import Any

import torch
from bitsandbytes import functional
from bitsandbytes.nn.modules import Linear4bit as PackedLinear
from peft.tuners.lora.bnb import Linear4bit

from textune.models.adapted_linear import Frozen
from textune.models.lean_lora import LeanLora


class LeanLoraLinear4bit(LeanLora, Linear4bit):
    """A LoRA layer beside a linear layer in 4 bits.

    Only in training: without a way back, bitsandbytes may multiply packed weights as they are.
    """

    def frozen(self, dtype: torch.dtype) -> Frozen | None:
        """The weight, unpacked whenever it is asked for."""
        base: Any = self.base_layer
        state = getattr(base.weight, "quant_state", None)
        is_repacked = getattr(state, "packing_format_for_cpu", False)
        if not isinstance(base, PackedLinear) or state is None or is_repacked:
            return None
        formats = [state.dtype, base.compute_dtype or dtype, getattr(base.bias, "dtype", dtype)]
        if not torch.is_grad_enabled() or any(each != dtype for each in formats):
            return None
        packed: torch.Tensor = base.weight.data.view(-1, 1)
        return lambda: functional.dequantize_4bit(packed, state)
