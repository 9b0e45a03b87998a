"""LoRA+: LoRA whose two matrices learn at different rates."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import Hooks
from textune.methods.lora import LoRA


@dataclass(frozen=True, kw_only=True)
class LoRAPlus(LoRA):
    """LoRA with a larger learning rate for ``B`` than for ``A`` (Hayou, Ghosh and Yu, 2024).

    ``B``, which starts at zero, learns ``ratio`` times as fast as ``A`` (section 4). The learning
    rate of the cell is that of ``A``.
    """

    paper: ClassVar[str] = "arXiv:2402.12354"
    lr: ClassVar[float] = 2e-4

    ratio: float = 16.0
    """How many times faster ``B`` learns."""

    def hooks(self, adapted: Any) -> Hooks:
        """Rates by matrix."""
        return _Rates(self.ratio)


class _Rates(Hooks):
    def __init__(self, ratio: float) -> None:
        self.ratio = ratio

    def rate(self, name: str) -> float:
        return self.ratio if ".lora_B." in name else 1.0
