"""What a training keeps on its way: checkpoints, and its best weights."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from textune.methods.base import Hooks
from textune.training import checkpoint
from textune.training.checkpoint import Progress
from textune.training.masters import Masters

HOOKS = "hooks."
"""Begins the names of what a method's hooks keep in a checkpoint."""


class Keeper:
    """Checkpoints on disk and the best weights so far (in memory and in the checkpoint)."""

    def __init__(
        self,
        masters: Masters,
        hooks: Hooks,
        folder: Path | None,
        *,
        seconds: float,
        kept: Callable[[], None],
    ) -> None:
        """Nothing is kept without a folder; else every so many seconds, and ``kept`` is called."""
        self.masters = masters
        self.hooks = hooks
        self.path = folder / "checkpoint.safetensors" if folder else None
        self.seconds = seconds
        self.kept = kept
        self.saved_at = time.monotonic()
        self.best: list[torch.Tensor] = []

    def resume(self) -> Progress:
        """Take up the last checkpoint, if a readable one fits."""
        found = checkpoint.load(self.path) if self.path else None
        if found is None:
            return Progress()
        tensors, progress = found
        try:
            self.masters.restore(tensors)
        except (KeyError, RuntimeError):
            return Progress()
        own = {n.removeprefix(HOOKS): t for n, t in tensors.items() if n.startswith(HOOKS)}
        self.hooks.restore(own)
        if progress.best_epoch >= 0:
            self.best = [tensors[f"{i}.best"] for i in range(len(self.masters.masters))]
        return progress

    def remember_best(self) -> None:
        """Copy the weights as they are now."""
        self.best = [m.detach().clone() for m in self.masters.masters]

    def maybe_save(self, progress: Progress) -> None:
        """Write a checkpoint when the last is old enough."""
        if self.path and time.monotonic() - self.saved_at >= self.seconds:
            best = {f"{i}.best": tensor for i, tensor in enumerate(self.best)}
            own = {f"{HOOKS}{name}": tensor for name, tensor in self.hooks.state().items()}
            checkpoint.save(self.path, {**self.masters.state(), **best, **own}, progress)
            self.saved_at = time.monotonic()
            self.kept()

    def restore_best(self, progress: Progress, *, last: int) -> None:
        """Put the best weights into the model, unless the last ones are the best."""
        if self.best and progress.best_epoch != last:
            tensors = {f"{i}.master": tensor for i, tensor in enumerate(self.best)}
            self.masters.restore(tensors)
