"""Method: how a tuned model's weights are adapted; what it can do is said by class variables."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textune.core.config import plain
from textune.core.errors import ConfigError, ImpossibleError, StoreError
from textune.core.registry import Plugin, Registry
from textune.results.record import Setting

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import nn
    from transformers import PreTrainedModel

    from textune.engine.causal import CausalEngine
    from textune.engine.layout import PrefixCache


class Hooks:
    """What a method does in training beyond taking gradients; as it is, nothing."""

    def rate(self, name: str) -> float:
        """What the learning rate is multiplied by for the parameter of that name."""
        return 1.0

    def begin(self, total: int) -> None:
        """Training of so many steps begins."""

    def penalty(self) -> torch.Tensor | None:
        """Added to the loss of every step."""
        return None

    def after_step(self, step: int) -> None:
        """The optimiser has made its step (from 1); gradients are still there, clipped if fp32.

        Only parameters in fp32 may be changed: others have masters, which would undo it.
        """

    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint must hold to go on."""
        return {}

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take up what ``state`` gave."""


@dataclass(frozen=True, kw_only=True)
class Method(Plugin, ABC):
    """One way of adapting a causal language model."""

    paper: ClassVar[str]
    """Where the method was published."""
    lr: ClassVar[float]
    """Default learning rate; rates belong to methods, never to a study."""
    trained_share: ClassVar[float | None] = None
    """Trained by all parameters of SmolLM2-135M, with the options as they are; three digits."""
    lr_span: ClassVar[float] = 10.0
    """A search looks for the learning rate between ``lr / lr_span`` and ``lr * lr_span``."""
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {}
    """Options that a search may vary too, with values to try."""
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
    stackable: ClassVar[bool] = False
    """Whether several can train side by side over one base: all that trains is plain LoRA."""
    changes_base: ClassVar[bool] = False
    """Whether training writes into the base weights themselves."""
    served_by: ClassVar[str]
    """How a tuned model can be served: ``vLLM`` as it is, ``as LoRA`` (converted, then in vLLM),
    ``merged``, or only by ``transformers``."""

    @classmethod
    def share(cls) -> str:
        """The trained share in words."""
        return "-" if cls.trained_share is None else f"{100 * cls.trained_share:.3g} %"

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
            StoreError: the folder is damaged or belongs to another model; names it. What was put
                into ``model`` by then may still be in it.
        """

    def virtual_tokens(self, adapted: nn.Module) -> torch.Tensor | None:
        """Embeddings (V, D) of trained virtual tokens, with gradient, or None."""
        return None

    def prefix_states(self, adapted: nn.Module) -> PrefixCache | None:
        """Trained keys and values (heads, V, head size) before every prompt, or None."""
        return None

    def engine(self, model: PreTrainedModel, adapted: nn.Module) -> CausalEngine:
        """The packed engine of an adapted model; ``model`` is its base."""
        from textune.engine.causal import CausalEngine

        return CausalEngine(
            model,
            virtual=lambda: self.virtual_tokens(adapted),
            states=lambda: self.prefix_states(adapted),
        )

    def hooks(self, adapted: nn.Module) -> Hooks:
        """What the method does in training beyond taking gradients."""
        return Hooks()

    def release(self, adapted: nn.Module) -> None:
        """Take the method's layers out of the base model again."""

    def merge(self, adapted: nn.Module) -> nn.Module:
        """The plain model with the change folded into its weights; ``adapted`` is used up.

        Raises:
            ImpossibleError: the method is not ``mergeable``.
        """
        raise ImpossibleError(
            f"what {self.name} learns cannot be folded into the weights",
            hint="keep the adapter beside the model",
        )


def check_least(method: Method, least: int, *names: str, hint: str) -> None:
    """Refuse options below their least value.

    Raises:
        ConfigError: names the option and its value.
    """
    for name in names:
        if getattr(method, name) < least:
            raise ConfigError(f"{name} cannot be {getattr(method, name)}", hint=hint)


@dataclass(frozen=True, kw_only=True)
class PeftMethod(Method):
    """A method that the ``peft`` library has; subclasses give its configuration."""

    harmless: ClassVar[str] = "$^"
    """Pattern of warnings of ``peft`` that the method expects; as it is, of none."""
    fp32: ClassVar[bool] = False
    """Whether adapters are fp32, whatever format the model has."""

    @abstractmethod
    def config(self, head: list[str]) -> Any:
        """The ``PeftConfig`` of a causal language model."""

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Wrap the model; adapters take its number format (masters are the loop's business)."""
        return self.wrap(model, self.config(head))

    def wrap(self, model: Any, config: Any) -> nn.Module:
        """The model with the layers of a ``PeftConfig``.

        Raises:
            ImpossibleError: ``peft`` finds nothing in the model that it could adapt.
        """
        from peft import get_peft_model

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=self.harmless)
                adapted: nn.Module = get_peft_model(
                    model, config, autocast_adapter_dtype=self.fp32
                )
        except ValueError as error:
            reason = str(error).strip().splitlines()[0]
            raise ImpossibleError(
                f"{self.name} does not go with {model.config.model_type}: {reason}",
                hint="choose another method, or name layers of this model in its options",
            ) from None
        return adapted

    def save(self, adapted: Any, folder: Path) -> None:
        """A plain PEFT adapter folder."""
        adapted.save_pretrained(folder, safe_serialization=True)

    def load(self, model: Any, folder: Path) -> nn.Module:
        """An adapter from a PEFT folder; one that is not whole is refused."""
        from peft import PeftModel

        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=self.harmless)
                warnings.filterwarnings("error", message="Found missing adapter keys")
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
        config = adapted.active_peft_config
        if not config.is_prompt_learning or config.peft_type == "PREFIX_TUNING":
            return None
        prompt: torch.Tensor = adapted.get_prompt(batch_size=1)[0]
        return prompt

    def prefix_states(self, adapted: Any) -> PrefixCache | None:
        """The learned keys and values, where the method has some."""
        from textune.engine.states import states_of

        has_states = adapted.active_peft_config.peft_type == "PREFIX_TUNING"
        return states_of(adapted) if has_states else None

    def release(self, adapted: Any) -> None:
        """Put the original layers back."""
        from peft.tuners.tuners_utils import BaseTuner

        base = adapted.get_base_model()
        if not adapted.active_peft_config.is_prompt_learning:  # some refuse a 4-bit base in unload
            BaseTuner._unload_and_optionally_merge(adapted.base_model, merge=False)
        if hasattr(base, "peft_config"):
            del base.peft_config  # else peft takes the base for an adapted model next time

    def merge(self, adapted: Any) -> nn.Module:
        """The base with the adapter added to its weights."""
        if not self.mergeable:
            return super().merge(adapted)
        merged: nn.Module = adapted.merge_and_unload()
        return merged


@dataclass(frozen=True, kw_only=True)
class SubsetMethod(Method):
    """A method that trains some of the model's own parameters; subclasses name them.

    Trainable copies stand in their places until ``release``, so the base itself never changes.
    """

    @abstractmethod
    def parts(self, model: Any) -> list[str]:
        """Names of what trains; a bias that the model lacks is made, and starts at zero.

        Raises:
            ImpossibleError: this model has nothing that the method could train.
        """

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """The same model with copies that take a gradient."""
        from textune.models.partly_trained import PartlyTrained

        heads = tuple(f"{name}." for name in head)
        new = [name for name, _ in model.named_parameters() if name.startswith(heads)]
        return PartlyTrained(model, [*self.parts(model), *new])

    def save(self, adapted: Any, folder: Path) -> None:
        """``weights.safetensors``, and in ``method.json`` what they are."""
        from safetensors.torch import save_file

        from textune.core.artifacts import write_json

        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "method.json", plain(self))
        save_file(adapted.trained(), folder / "weights.safetensors", metadata={"format": "pt"})

    def load(self, model: Any, folder: Path) -> nn.Module:
        """The saved weights in the places of the base's."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        from textune.models.partly_trained import PartlyTrained

        path = folder / "weights.safetensors"
        hint = "fit it again, or take it from a copy; it fits only the model that it came from"
        try:
            tensors = load_file(path)
            adapted = PartlyTrained(model, [*self.parts(model), *tensors])
        except (OSError, SafetensorError, AttributeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise StoreError(f"damaged weights {path}: {reason}", hint=hint) from None
        try:
            adapted.fill(tensors)
        except ValueError as error:
            adapted.restore()
            raise StoreError(f"damaged weights {path}: {error}", hint=hint) from None
        return adapted

    def release(self, adapted: Any) -> None:
        """Put the base's own parameters back."""
        adapted.restore()

    def merge(self, adapted: Any) -> nn.Module:
        """The model with what was trained for its own."""
        if not self.mergeable:
            return super().merge(adapted)
        merged: nn.Module = adapted.keep()
        return merged


REGISTRY = Registry("textune.methods", Method, noun="method")
