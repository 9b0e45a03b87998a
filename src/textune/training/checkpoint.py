"""Training state on disk: written by rename, so that a kill leaves the last whole one."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from textune.core import files


@dataclass(frozen=True)
class Progress:
    """How far training has come."""

    step: int = 0
    losses: tuple[float, ...] = ()
    """Mean training loss of each finished epoch."""
    epoch_loss: float = 0.0
    """Sum of the losses of the current epoch's steps."""
    valid_scores: tuple[float, ...] = ()
    """Validation score after each finished epoch, where there is a validation part."""
    best_epoch: int = -1

    def notes(self, lr: float) -> dict[str, str | int | float | None]:
        """What a record says about a training that has ended."""
        return {
            "lr": lr,
            "steps": self.step,
            "train_loss_first_epoch": self.losses[0],
            "train_loss_last_epoch": self.losses[-1],
            "best_epoch": self.best_epoch + 1 if self.valid_scores else None,
        }


def save(path: Path, tensors: dict[str, torch.Tensor], progress: Progress) -> None:
    """Write state and progress into one safetensors file.

    Raises:
        StoreError: the disk refuses it; the checkpoint before stays.
    """
    metadata = {"progress": json.dumps(asdict(progress))}
    with files.replacing(path) as temporary:
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, metadata=metadata)


def load(path: Path) -> tuple[dict[str, torch.Tensor], Progress] | None:
    """The state of the last checkpoint, or None when there is none that can be read.

    A damaged checkpoint costs the time since the start of its cell, nothing else.
    """
    try:
        with safe_open(path, framework="pt") as content:
            raw = json.loads(content.metadata()["progress"])
            tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118  # not a dict
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    lists = {name: tuple(raw[name]) for name in ("losses", "valid_scores")}
    return tensors, Progress(**{**raw, **lists})
