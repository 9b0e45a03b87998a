"""The training loop, to be read from top to bottom.

Every random choice of a step is derived from (seed, step), so a run that was killed and taken up
from a checkpoint ends with the same weights, bit for bit on one machine (on a GPU but for
roundings: some of its sums have no fixed order).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, TypeVar

import torch
from accelerate import Accelerator
from torch import nn

from textune.core.errors import DivergedError, ImpossibleError
from textune.core.seeds import derive, generator
from textune.methods.base import Hooks
from textune.training.checkpoint import Progress
from textune.training.keeper import Keeper
from textune.training.masters import Masters
from textune.training.settings import TrainingSpec, rate_at

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
    weights: Mapping[str, nn.Parameter] | None = None
    """What trains, where it stands beside the model; None: what takes a gradient in it."""


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
    training = Training(trainee, items, spec, lr=lr, seed=seed, watch=watch)
    while not training.is_over:
        with torch.random.fork_rng():
            torch.manual_seed(derive(seed, "dropout", training.progress.step))
            loss = _way_back(trainee, training.batch(), training.accelerator)
        training.step(loss)
    return training.end()


class Training(Generic[T]):
    """One training on its way: what its next step reads, and what follows on its gradients."""

    def __init__(
        self,
        trainee: Trainee[T],
        items: Sequence[T],
        spec: TrainingSpec,
        *,
        lr: float,
        seed: int,
        watch: Watch,
    ) -> None:
        """As for ``train``; goes on from the last checkpoint, if there is one."""
        named = trainee.weights or {
            n: p for n, p in trainee.model.named_parameters() if p.requires_grad
        }
        if not named:
            raise ImpossibleError("the method trains nothing on this model", hint="choose another")
        self.trainee, self.items, self.spec = trainee, items, spec
        self.lr, self.seed, self.watch = lr, seed, watch
        self.trainable, self.hooks = list(named.values()), trainee.hooks
        self.accelerator = Accelerator(cpu=self.trainable[0].device.type == "cpu")
        factors = [self.hooks.rate(name) for name in named]
        self.masters = Masters(self.trainable, weight_decay=spec.weight_decay, factors=factors)
        self.total, self.per_epoch = spec.total_steps(len(items)), spec.steps_in_epoch(len(items))
        self.hooks.begin(self.total)
        self.keeper = Keeper(
            self.masters, self.hooks, watch.folder, seconds=watch.seconds, kept=watch.kept
        )
        self.progress = self.keeper.resume()
        trainee.model.train()

    @property
    def is_over(self) -> bool:
        """Whether all steps are done."""
        return self.progress.step >= self.total

    def batch(self) -> list[T]:
        """What the next step reads."""
        epoch, place = divmod(self.progress.step, self.per_epoch)
        order = generator(self.seed, "order", epoch).permutation(len(self.items))
        size = self.spec.batch_size
        return [self.items[i] for i in order[place * size : (place + 1) * size]]

    def step(self, loss: torch.Tensor) -> None:
        """Change the weights by the gradients that they hold, and go on."""
        step, spec, hooks = self.progress.step, self.spec, self.hooks
        if (penalty := hooks.penalty()) is not None:
            self.accelerator.backward(penalty)
        clip = _clip(self.trainable, spec.max_grad_norm)
        rate = rate_at(step, total=self.total, warmup=spec.warmup(self.total))
        self.masters.step(self.lr * rate, clip=clip)
        hooks.after_step(step + 1)
        self.masters.clear()
        value = loss.item()
        if value != value:
            hint = "a lower learning rate usually helps"
            raise DivergedError(f"the loss is not a number after step {step + 1}", hint=hint)
        summed = self.progress.epoch_loss + value
        self.progress = replace(self.progress, step=step + 1, epoch_loss=summed)
        if (step + 1) % self.per_epoch == 0:
            self.progress = _end_epoch(self.trainee, self.progress, self.per_epoch, self.keeper)
        self.watch.report(step + 1, self.total, value)
        self.keeper.maybe_save(self.progress)

    def end(self) -> Progress:
        """Put the best weights into their places."""
        self.keeper.restore_best(self.progress, last=len(self.progress.losses) - 1)
        self.trainee.model.eval()
        return self.progress


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


def _end_epoch(trainee: Trainee[T], progress: Progress, steps: int, keeper: Keeper) -> Progress:
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
