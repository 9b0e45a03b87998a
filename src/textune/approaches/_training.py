"""What approaches share that train a network: the loop, told about by the worker's context."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from textune.approaches.base import Context, Notes, Predictor
from textune.data.examples import Example
from textune.tasks.base import TaskSpec
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from textune.training.loop import Trainee, Watch

T = TypeVar("T")


def train_network(
    trainee: Trainee[T],
    items: Sequence[T],
    spec: TrainingSpec,
    *,
    lr: float,
    seed: int,
    context: Context,
) -> Notes:
    """Run the training loop on items that the trainee reads; what it was like."""
    from textune.training.loop import train

    return train(trainee, items, spec, lr=lr, seed=seed, watch=watch_of(context)).notes(lr)


def watch_of(context: Context) -> Watch:
    """Who is told about a training, and where its checkpoints go."""
    from textune.training.loop import Watch

    return Watch(context.report, context.work, context.kept, context.checkpoint_seconds)


def score_on(
    valid: Sequence[Example], task: TaskSpec, fitted: Callable[[], Predictor]
) -> Callable[[], float] | None:
    """Gives the main metric on ``valid`` of what is fitted by then; None where it is empty."""
    from textune.training.objective import main_score

    return (lambda: main_score(fitted().predict(valid), task, valid)) if valid else None
