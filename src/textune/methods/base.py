"""Method: how a tuned model's weights are adapted; what it can do is said by class variables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textune.core.registry import Plugin, Registry

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Method(Plugin, ABC):
    """One way of adapting a causal language model."""

    paper: ClassVar[str]
    """Where the method was published."""
    lr: ClassVar[float]
    """Default learning rate; rates belong to methods, never to a study."""
    quantisation: ClassVar[Literal["none", "nf4"]] = "none"
    """How the method wants its base model held in memory."""
    packable: ClassVar[bool] = True
    """Whether it runs on packed rows (layers act on tokens one by one, or on virtual tokens)."""
    mergeable: ClassVar[bool] = False
    """Whether the change can be folded into the base weights."""
    quantised_base: ClassVar[bool] = False
    """Whether it works on a base in 4 bits."""
    starts_at_base: ClassVar[bool] = True
    """Whether the adapted model equals the base model before the first step."""
    changes_base: ClassVar[bool] = False
    """Whether training writes into the base weights themselves."""
    served_by: ClassVar[str]
    """How a tuned model can be served: ``vLLM``, ``merged`` or ``transformers``."""

    @abstractmethod
    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Make the model trainable in this method's way; may put layers into ``model`` itself.

        ``head`` names modules that are new and train in full (empty for a language model).
        """

    @abstractmethod
    def save(self, adapted: nn.Module, folder: Path) -> None:
        """Write what training changed, as safetensors."""

    @abstractmethod
    def load(self, model: Any, folder: Path) -> nn.Module:
        """Put what ``save`` wrote onto a base model.

        Raises:
            StoreError: the folder is damaged or belongs to another model; names it.
        """

    def virtual_tokens(self, adapted: nn.Module) -> torch.Tensor | None:
        """Embeddings (V, D) of trained virtual tokens, with gradient, or None."""
        return None

    def release(self, adapted: nn.Module) -> None:
        """Take the method's layers out of the base model again."""


@dataclass(frozen=True, kw_only=True)
class PeftMethod(Method):
    """A method that the ``peft`` library has; subclasses give its configuration."""

    @abstractmethod
    def config(self, head: list[str]) -> Any:
        """The ``PeftConfig`` of a causal language model."""

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Wrap the model; adapters take its number format (masters are the loop's business)."""
        from peft import get_peft_model

        adapted: nn.Module = get_peft_model(model, self.config(head), autocast_adapter_dtype=False)
        return adapted

    def save(self, adapted: Any, folder: Path) -> None:
        """A plain PEFT adapter folder."""
        adapted.save_pretrained(folder, safe_serialization=True)

    def load(self, model: Any, folder: Path) -> nn.Module:
        """An adapter from a PEFT folder."""
        from peft import PeftModel

        from textune.core.errors import StoreError

        try:
            adapted: nn.Module = PeftModel.from_pretrained(
                model, str(folder), autocast_adapter_dtype=False, local_files_only=True
            )
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise StoreError(
                f"damaged adapter in {folder}: {reason}",
                hint="fit it again, or take it from a copy",
            ) from None
        return adapted

    def virtual_tokens(self, adapted: Any) -> torch.Tensor | None:
        """The learned prompt, where the method has one."""
        if not adapted.active_peft_config.is_prompt_learning:
            return None
        prompt: torch.Tensor = adapted.get_prompt(batch_size=1)[0]
        return prompt

    def release(self, adapted: Any) -> None:
        """Put the original layers back."""
        base = adapted.get_base_model()
        if not adapted.active_peft_config.is_prompt_learning:
            adapted.base_model.unload()
        if hasattr(base, "peft_config"):
            del base.peft_config  # else peft takes the base for an adapted model next time


REGISTRY = Registry("textune.methods", Method, noun="method")
