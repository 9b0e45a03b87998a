"""The training loop, to be read from top to bottom.

Every random choice of a step is derived from (seed, step), so a run that was killed and taken up
from a checkpoint ends with the same weights, bit for bit on one machine.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import torch
from accelerate import Accelerator
from torch import nn

from textune.core.errors import DivergedError, ImpossibleError
from textune.core.seeds import derive, generator
from textune.methods.base import Hooks
from textune.training import checkpoint
from textune.training.checkpoint import Progress
from textune.training.masters import Masters
from textune.training.settings import TrainingSpec, rate_at

HOOKS = "hooks."
"""Begins the names of what a method's hooks keep in a checkpoint."""


T = TypeVar("T")
"""What an example is for the model."""


def _whole(batch: Sequence[T]) -> list[tuple[Sequence[T], float]]:
    """A batch as it is."""
    return [(batch, 1.0)]


@dataclass(frozen=True)
class Trainee(Generic[T]):
    """What is trained: the model, how its loss is computed, how good it is."""

    model: nn.Module
    loss: Callable[[Sequence[T]], torch.Tensor]
    """Mean loss of a batch, with gradient."""
    evaluate: Callable[[], float] | None = None
    """Score on the validation part, higher is better; None: the last weights are kept."""
    hooks: Hooks = field(default_factory=Hooks)
    """What the tuning method does beyond taking gradients."""
    micro_batches: Callable[[Sequence[T]], Iterable[tuple[Sequence[T], float]]] = _whole
    """A batch in parts that are run one after the other, each with its share in the mean loss."""


@dataclass(frozen=True)
class Watch:
    """Who is told about progress, and where checkpoints go."""

    report: Callable[[int, int, float], None] = lambda *_: None
    """Called after each step with (steps done, all steps, loss)."""
    folder: Path | None = None
    """Where checkpoints go; None: none are kept."""
    kept: Callable[[], None] = lambda: None
    """Called after each checkpoint."""
    seconds: float = 30.0
    """Least time between two checkpoints."""


def train(
    trainee: Trainee[T],
    items: Sequence[T],
    spec: TrainingSpec,
    *,
    lr: float,
    seed: int,
    watch: Watch,
) -> Progress:
    """Train in place; the model ends with its best weights by validation, else its last.

    Raises:
        ImpossibleError: the method trains nothing.
        DivergedError: the loss is no number any more.
    """
    named = {n: p for n, p in trainee.model.named_parameters() if p.requires_grad}
    if not named:
        raise ImpossibleError("the method trains nothing on this model", hint="choose another")
    trainable, hooks = list(named.values()), trainee.hooks
    accelerator = Accelerator(cpu=trainable[0].device.type == "cpu")
    factors = [hooks.rate(name) for name in named]
    masters = Masters(trainable, weight_decay=spec.weight_decay, factors=factors)
    total, per_epoch = spec.total_steps(len(items)), spec.steps_in_epoch(len(items))
    warmup = spec.warmup(total)
    hooks.begin(total)
    keeper = _Keeper(masters, hooks, watch)
    progress = keeper.resume()

    trainee.model.train()
    while progress.step < total:
        step = progress.step
        epoch, place = divmod(step, per_epoch)
        order = generator(seed, "order", epoch).permutation(len(items))
        batch = [items[i] for i in order[place * spec.batch_size : (place + 1) * spec.batch_size]]
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "dropout", step))
            loss = _way_back(trainee, batch, accelerator)
        if (penalty := hooks.penalty()) is not None:
            accelerator.backward(penalty)
        clip = _clip(trainable, spec.max_grad_norm)
        masters.step(lr * rate_at(step, total=total, warmup=warmup), clip=clip)
        hooks.after_step(step + 1)
        masters.clear()
        value = loss.item()
        if value != value:
            hint = "a lower learning rate usually helps"
            raise DivergedError(f"the loss is not a number after step {step + 1}", hint=hint)
        progress = replace(progress, step=step + 1, epoch_loss=progress.epoch_loss + value)
        if place == per_epoch - 1:
            progress = _end_epoch(trainee, progress, per_epoch, keeper)
        watch.report(step + 1, total, value)
        keeper.maybe_save(progress)
    keeper.restore_best(progress, last=len(progress.losses) - 1)
    trainee.model.eval()
    return progress


def _clip(parameters: Sequence[nn.Parameter], most: float) -> float:
    """What gradients are multiplied by, so that their norm together is ``most`` or less."""
    norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
    return min(1.0, most / (norm.item() + 1e-6))


def _way_back(trainee: Trainee[T], batch: Sequence[T], accelerator: Accelerator) -> torch.Tensor:
    """Add up the gradients of a batch's micro-batches; gives its mean loss."""
    losses = []
    for part, share in trainee.micro_batches(batch):
        loss = trainee.loss(part) * share
        accelerator.backward(loss)
        losses.append(loss.detach())
    return torch.stack(losses).sum()


def _end_epoch(trainee: Trainee[T], progress: Progress, steps: int, keeper: "_Keeper") -> Progress:
    """Close the epoch's mean loss; score it, and remember its weights when they are the best."""
    losses = (*progress.losses, progress.epoch_loss / steps)
    progress = replace(progress, losses=losses, epoch_loss=0.0)
    if trainee.evaluate is None:
        return progress
    trainee.model.eval()
    scores = (*progress.valid_scores, trainee.evaluate())
    trainee.model.train()
    if scores[-1] > max(progress.valid_scores, default=float("-inf")):
        keeper.remember_best()
        progress = replace(progress, best_epoch=len(scores) - 1)
    return replace(progress, valid_scores=scores)


class _Keeper:
    """Checkpoints on disk and the best weights so far (in memory and in the checkpoint)."""

    def __init__(self, masters: Masters, hooks: Hooks, watch: Watch) -> None:
        self.masters = masters
        self.hooks = hooks
        self.path = watch.folder / "checkpoint.safetensors" if watch.folder else None
        self.seconds = watch.seconds
        self.kept = watch.kept
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
