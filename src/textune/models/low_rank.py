"""What tuning changed in a model, as a LoRA adapter of any rank."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from textune.core.errors import ImpossibleError
from textune.models.principal import principal_factors


@dataclass(frozen=True)
class LowRank:
    """A change of linear layers, approximated."""

    factors: dict[str, tuple[torch.Tensor, torch.Tensor]]
    """Path of a layer -> ``B`` (out, rank) and ``A`` (rank, in); the change is ``B @ A``."""
    kept: float
    """Share of the squared change that the factors hold, over all layers."""


@torch.no_grad()
def low_rank_change(before: Mapping[str, torch.Tensor], model: nn.Module, rank: int) -> LowRank:
    """The difference of a model's weights to those it had before; each layer's best approximation.

    Raises:
        ImpossibleError: nothing changed, or something that is no weight of a linear layer.
    """
    layers = {f"{n}.weight": n for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    factors: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    changed = kept = 0.0
    state = model.state_dict()
    for name in sorted(state):
        if name in before and torch.equal(before[name], state[name]):
            continue
        if name not in layers or name not in before:
            raise ImpossibleError(
                f"tuning changed {name}, and LoRA changes linear layers alone",
                hint="export it as a plain model: leave out --lora",
            )
        difference = state[name].float() - before[name].float()
        with torch.random.fork_rng():
            torch.manual_seed(0)  # of the randomised decomposition
            left, right = principal_factors(difference, rank)
        factors[layers[name]] = (left, right)
        changed += difference.square().sum().item()
        kept += (left @ right).square().sum().item()
    if not factors:
        raise ImpossibleError("tuning changed nothing", hint="fit it again, with a higher rate")
    return LowRank(factors, kept / changed)


def save_lora(change: LowRank, folder: Path, *, base: str) -> None:
    """A PEFT folder; ``base`` is what its configuration calls the base model."""
    from peft import LoraConfig
    from peft.utils import SAFETENSORS_WEIGHTS_NAME
    from safetensors.torch import save_file

    ranks = {path: left.shape[1] for path, (left, _) in change.factors.items()}
    most = max(ranks.values())
    fewer = {path: rank for path, rank in ranks.items() if rank < most}
    config = LoraConfig(
        task_type="CAUSAL_LM",
        base_model_name_or_path=base,
        inference_mode=True,
        r=most,
        lora_alpha=most,
        target_modules=list(ranks),
        rank_pattern=fewer,
        alpha_pattern=fewer,
    )
    tensors = {}
    for path, (left, right) in change.factors.items():
        tensors[f"base_model.model.{path}.lora_A.weight"] = right.contiguous()
        tensors[f"base_model.model.{path}.lora_B.weight"] = left.contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    save_file(tensors, folder / SAFETENSORS_WEIGHTS_NAME, metadata={"format": "pt"})
