"""AdaLoRA: low-rank updates whose ranks move to where they matter."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from textune.core.errors import ConfigError, ImpossibleError
from textune.methods.base import Hooks, PeftMethod
from textune.results.record import Setting

if TYPE_CHECKING:
    from pathlib import Path

    import torch


@dataclass(frozen=True, kw_only=True)
class AdaLoRA(PeftMethod):
    """Adaptive budget allocation (Zhang et al., 2023).

    An update is ``P @ diag(E) @ Q`` (section 3.1). Training starts with ``start_rank`` in every
    layer; after a tenth of the steps, the least important entries of ``E`` (section 3.2) are set
    to zero, by a cubic schedule (section 3.3), until the mean rank is ``rank`` with three tenths
    of the steps left. A penalty keeps ``P`` and ``Q`` orthogonal. Adapters are fp32.
    """

    paper: ClassVar[str] = "arXiv:2303.10512"
    lr: ClassVar[float] = 1e-2
    trained_share: ClassVar[float | None] = 0.0265
    space: ClassVar[dict[str, tuple[Setting, ...]]] = {"rank": (4, 8)}
    mergeable: ClassVar[bool] = True
    quantised_base: ClassVar[bool] = True
    served_by: ClassVar[str] = "as LoRA"
    fp32: ClassVar[bool] = True  # importance is summed over steps
    harmless: ClassVar[str] = "The following rank_pattern keys did not match"

    rank: int = 8
    """Mean rank at the end."""
    start_rank: int = 12
    """Rank of every layer at the start."""
    alpha: int = 32
    """Strength of the update."""
    orthogonality: float = 0.5
    """Weight of the penalty."""

    def __post_init__(self) -> None:
        if not 0 < self.rank < self.start_rank:
            raise ConfigError(
                f"rank {self.rank} must be above 0 and below start_rank {self.start_rank}",
                hint="AdaLoRA prunes from start_rank to rank; start at 1.5 times the rank",
            )

    def config(self, head: list[str]) -> Any:
        """``AdaLoraConfig``; the schedule is set when the number of steps is known."""
        from peft import AdaLoraConfig

        return AdaLoraConfig(
            task_type="CAUSAL_LM",
            init_r=self.start_rank,
            target_r=self.rank,
            lora_alpha=self.alpha,
            orth_reg_weight=self.orthogonality,
            total_step=1,
            target_modules="all-linear",
            modules_to_save=head or None,
        )

    def save(self, adapted: Any, folder: Path) -> None:
        """A PEFT folder with the living ranks alone; a layer may have lost all of them."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*have invalid shape")  # rank 0 is none
            super().save(adapted, folder)

    def hooks(self, adapted: Any) -> Hooks:
        """Pruning and the penalty."""
        return Pruning(adapted, self.orthogonality)


class Pruning(Hooks):
    """Calls ``peft``'s allocator after every step, with a schedule from the real step count."""

    def __init__(self, adapted: Any, orthogonality: float) -> None:
        self.tuner = adapted.base_model
        self.config = adapted.active_peft_config
        self.orthogonality = orthogonality
        named = dict(adapted.named_parameters())
        self.factors = [p for n, p in named.items() if ".lora_A." in n or ".lora_B." in n]

    def begin(self, total: int) -> None:
        """A tenth of the steps before pruning, six tenths with it, three tenths after it.

        Raises:
            ImpossibleError: too few steps to prune.
        """
        if total < 3:
            raise ImpossibleError(
                f"AdaLoRA cannot prune in {total} steps", hint="train on more examples or epochs"
            )
        self.config.total_step = total
        self.config.tinit = total // 10
        self.config.tfinal = max(1, 3 * total // 10)
        self.config.deltaT = max(1, total // 100)

    def penalty(self) -> torch.Tensor:
        """Mean Frobenius distance of the factors' Gram matrices from the identity."""
        import torch

        distances = []
        for factor in self.factors:
            narrow = factor if factor.shape[0] <= factor.shape[1] else factor.T
            gram = narrow @ narrow.T
            distances.append((gram - torch.eye(len(gram), device=gram.device)).norm())
        return self.orthogonality * torch.stack(distances).mean()

    def after_step(self, step: int) -> None:
        """Sum up importance; set the least important entries to zero when it is time."""
        self.tuner.update_and_allocate(step)

    def state(self) -> dict[str, torch.Tensor]:
        """Sums of importance, and which entries live."""
        import torch

        allocator = self.tuner.rankallocator
        sums = {"mean": allocator.exp_avg_ipt, "spread": allocator.exp_avg_unc}
        found = {f"{k}.{name}": t for k, table in sums.items() for name, t in table.items()}
        pattern = self.config.rank_pattern or {}
        return found | {f"lives.{name}": torch.tensor(row) for name, row in pattern.items()}

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Sums and pattern as they were."""
        allocator = self.tuner.rankallocator
        tables: dict[str, dict[str, Any]] = {"mean": {}, "spread": {}, "lives": {}}
        for key, tensor in tensors.items():
            table, _, name = key.partition(".")
            tables[table][name] = tensor
        allocator.exp_avg_ipt, allocator.exp_avg_unc = tables["mean"], tables["spread"]
        allocator.ipt = dict(allocator.exp_avg_ipt)  # only its keys are asked for
        pattern = {name: row.tolist() for name, row in tables["lives"].items()}
        self.config.rank_pattern = pattern or None
