"""LoRA: a low-rank update beside every frozen linear layer."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textune.core.errors import ConfigError, ImpossibleError
from textune.methods.base import PeftMethod, check_least
from textune.results.record import Setting

if TYPE_CHECKING:
    from torch import nn

PRINCIPAL = "principal"
"""Name of the frozen adapter that PiSSA subtracts."""


@dataclass(frozen=True, kw_only=True)
class LoRA(PeftMethod):
    """Low-rank adaptation (Hu et al., 2021).

    A frozen weight ``W`` (out, in) becomes ``W + scale * B @ A`` (section 4.1), where ``scale`` is
    alpha / rank; ``A`` (rank, in) is random and ``B`` (out, rank) zero, so training starts at the
    base model. ``A`` and ``B`` train.
    """

    paper: ClassVar[str] = "arXiv:2106.09685"
    lr: ClassVar[float] = 1e-3
    trained_share: ClassVar[float | None] = 0.035
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"rank": (4, 16, 64)}
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "vLLM"
    stackable: ClassVar[bool] = True

    rank: int = 16
    """Width of the bottleneck; 8 to 64 is usual."""
    alpha: int = 32
    """Strength of the update: it is scaled by alpha / rank."""
    dropout: float = 0.0
    """Share of the adapter's inputs dropped in training."""
    targets: str | tuple[str, ...] = "all-linear"
    """Layers that get an adapter: names of modules, or every linear layer but the vocabulary's."""
    scaling: Literal["standard", "rank-stabilised"] = "standard"
    """``rank-stabilised`` scales by alpha / sqrt(rank), so that large ranks learn as fast as small
    ones (Kalajdzievski, 2023, arXiv:2312.03732); alpha must then be smaller."""
    dora: bool = False
    """Whether length and direction of every output's weights train apart (Liu et al., 2024,
    arXiv:2402.09353, section 4.1). Slower; vLLM needs it merged."""
    init: Literal["standard", "pissa"] = "standard"
    """``pissa`` starts ``B @ A`` at the principal part of ``W`` and takes that out of ``W`` (Meng,
    Wang and Zhang, 2024, arXiv:2404.02948, section 3); saved as a plain LoRA of twice the rank."""

    def __post_init__(self) -> None:
        hint = "it must be 1 or more; rank 16 and alpha 32 are usual"
        check_least(self, 1, "rank", "alpha", hint=hint)
        if not 0 <= self.dropout < 1:
            hint = "it must be at least 0 and below 1"
            raise ConfigError(f"dropout cannot be {self.dropout}", hint=hint)
        if self.init == "pissa" and (self.dora or self.dropout > 0):
            other = "dora" if self.dora else "dropout"
            raise ConfigError(
                f"init pissa does not go with {other}", hint=f"leave out {other}, or init"
            )
        if self.dora:
            object.__setattr__(self, "served_by", "merged")
        if self.init == "pissa":
            object.__setattr__(self, "quantised_base", False)
        if self.dora or self.dropout or self.init == "pissa":
            object.__setattr__(self, "stackable", False)

    def config(self, head: list[str]) -> Any:
        """``LoraConfig``."""
        from peft import LoraConfig

        return LoraConfig(
            task_type="CAUSAL_LM",
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            use_rslora=self.scaling == "rank-stabilised",
            use_dora=self.dora,
            target_modules=self.targets if isinstance(self.targets, str) else list(self.targets),
            modules_to_save=head or None,
        )

    def apply(self, model: Any, head: list[str]) -> nn.Module:
        """Wrap the model; PiSSA also gets the frozen adapter that it subtracts.

        Raises:
            ImpossibleError: PiSSA on a base whose weights are packed into few bits.
        """
        adapted = super().apply(model, head)
        if self.init == "pissa":
            _start_at_principal(adapted, self.config([]))
        return adapted

    def wrap(self, model: Any, config: Any) -> nn.Module:
        """As every method of ``peft``, with layers that compute leanly."""
        from textune.models.lean_lora import make_lora_lean

        adapted = super().wrap(model, config)
        make_lora_lean(adapted)
        return adapted

    def load(self, model: Any, folder: Path) -> nn.Module:
        """As every method of ``peft``, with layers that compute leanly."""
        from textune.models.lean_lora import make_lora_lean

        adapted = super().load(model, folder)
        make_lora_lean(adapted)
        return adapted

    def save(self, adapted: Any, folder: Path) -> None:
        """A plain LoRA folder, whatever it started from."""
        adapted.save_pretrained(folder, safe_serialization=True, selected_adapters=["default"])
        if PRINCIPAL in adapted.peft_config:
            _save_difference(adapted, folder)


def _start_at_principal(adapted: Any, config: Any) -> None:
    """PiSSA that leaves the base alone: ``W + s (B @ A - B0 @ A0)`` instead of a changed ``W``.

    The second adapter is frozen with a negative scale; both begin at the principal part.
    """
    from textune.models.principal import principal_factors

    adapted.add_adapter(PRINCIPAL, config, autocast_adapter_dtype=False)
    adapted.base_model.set_adapter(["default", PRINCIPAL])
    for layer in (m for m in adapted.modules() if PRINCIPAL in getattr(m, "lora_A", {})):
        weight = layer.get_base_layer().weight
        if not weight.is_floating_point():
            hint = "use init standard on a base in 4 bits"
            raise ImpossibleError("init pissa needs the weights in 16 or 32 bits", hint=hint)
        left, right = principal_factors(weight, layer.r[PRINCIPAL])
        root = layer.scaling[PRINCIPAL] ** 0.5
        for name in ("default", PRINCIPAL):
            layer.lora_A[name].weight.data.copy_(right / root)
            layer.lora_B[name].weight.data.copy_(left / root)
            layer.lora_A[name].requires_grad_(name == "default")
            layer.lora_B[name].requires_grad_(name == "default")
        layer.scaling[PRINCIPAL] = -layer.scaling[PRINCIPAL]


def _save_difference(adapted: Any, folder: Path) -> None:
    """Both adapters as one of twice the rank: ``[B, -B0] @ [A; A0]``, at the same scale."""
    import torch
    from peft import get_peft_model_state_dict
    from peft.utils import SAFETENSORS_WEIGHTS_NAME
    from safetensors.torch import save_file

    config = copy.deepcopy(adapted.peft_config["default"])
    config.lora_alpha *= 2**0.5 if config.use_rslora else 2
    config.r *= 2
    config.inference_mode = True
    config.save_pretrained(folder)
    start = get_peft_model_state_dict(adapted, adapter_name=PRINCIPAL)
    whole = get_peft_model_state_dict(adapted, adapter_name="default")
    for name, tensor in start.items():
        is_left = ".lora_B." in name
        pair = [whole[name], -tensor if is_left else tensor]
        whole[name] = torch.cat(pair, dim=1 if is_left else 0).contiguous()
    save_file(whole, folder / SAFETENSORS_WEIGHTS_NAME, metadata={"format": "pt"})
