"""QLoRA: LoRA on a base that is held in 4 bits."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from textune.methods.base import PeftMethod


@dataclass(frozen=True, kw_only=True)
class QLoRA(PeftMethod):
    """LoRA over a base in 4-bit NormalFloat with double quantisation (Dettmers et al., 2023).

    The base weights are stored as NF4 (section 3) and unpacked for each product; only the
    low-rank update trains. Memory falls, time rises.
    """

    paper: ClassVar[str] = "arXiv:2305.14314"
    lr: ClassVar[float] = 5e-4
    quantisation: ClassVar[Literal["none", "nf4"]] = "nf4"
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "vLLM"

    rank: int = 16
    """Width of the bottleneck; 8 to 64 is usual."""
    alpha: int = 32
    """Strength of the update: it is scaled by alpha / rank."""
    dropout: float = 0.0
    """Share of the adapter's inputs dropped in training."""

    def config(self, head: list[str]) -> Any:
        """``LoraConfig`` on every linear layer (section 4: all layers are needed)."""
        from peft import LoraConfig

        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules="all-linear",
            modules_to_save=head or None,
        )
