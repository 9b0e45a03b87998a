"""Prompt tuning: trained virtual tokens before the prompt."""

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.methods.base import PeftMethod
from textune.results.record import Setting


@dataclass(frozen=True, kw_only=True)
class PromptTuning(PeftMethod):
    """Soft prompts (Lester, Al-Rfou and Constant, 2021).

    ``tokens`` embeddings stand before the prompt and are all that trains. They start as embeddings
    of tokens drawn from the vocabulary (section 3.2), so the start differs from the base model.
    """

    paper: ClassVar[str] = "arXiv:2104.08691"
    lr: ClassVar[float] = 3e-2
    trained_share: ClassVar[float | None] = 8.56e-05
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"tokens": (8, 20, 50)}
    quantised_base: ClassVar[bool] = True
    starts_at_base: ClassVar[bool] = False
    served_by: ClassVar[str] = "transformers"

    tokens: int = 20
    """Number of virtual tokens."""

    def config(self, head: list[str]) -> Any:
        """``PromptTuningConfig``."""
        from peft import PromptTuningConfig

        return PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=self.tokens,
            prompt_tuning_init="SAMPLE_VOCAB",
        )
