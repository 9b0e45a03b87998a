"""LoRA: a low-rank update beside every frozen linear layer."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import PeftMethod


@dataclass(frozen=True, kw_only=True)
class LoRA(PeftMethod):
    """Low-rank adaptation (Hu et al., 2021).

    A frozen weight ``W`` (out, in) becomes ``W + alpha / rank * B @ A`` (section 4.1) with ``A``
    (rank, in) random and ``B`` (out, rank) zero, so training starts at the base model.
    """

    paper: ClassVar[str] = "arXiv:2106.09685"
    lr: ClassVar[float] = 5e-4
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "vLLM"

    rank: int = 16
    """Width of the bottleneck; 8 to 64 is usual."""
    alpha: int = 32
    """Strength of the update: it is scaled by alpha / rank."""
    dropout: float = 0.0
    """Share of the adapter's inputs dropped in training."""
    targets: str | tuple[str, ...] = "all-linear"
    """Layers that get an adapter: names of modules, or every linear layer but the vocabulary's."""

    def config(self, head: list[str]) -> Any:
        """``LoraConfig``."""
        from peft import LoraConfig

        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=self.targets if isinstance(self.targets, str) else list(self.targets),
            modules_to_save=head or None,
        )
