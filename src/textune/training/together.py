"""Several trainings in one pass over the same frozen base, each with weights of its own.

Every step computes one row of all their batches (``CausalEngine.losses``). Each keeps its own
order, schedule, clipping, optimiser and checkpoints, so it ends as it would have ended alone, but
for roundings of products over more rows. A training that has fewer steps leaves earlier.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from textune.training.checkpoint import Progress
from textune.training.loop import Training

T = TypeVar("T")


def train_together(
    trainings: Sequence[Training[T]],
    losses: Callable[[Sequence[int], Sequence[Sequence[T]]], Sequence[torch.Tensor]],
) -> list[Progress]:
    """Train all to their ends.

    ``losses`` gives the mean loss of each batch, with gradient, for the trainings at these places.
    Nothing may be drawn on the way forward, as dropout would: draws belong to one training.

    Raises:
        DivergedError: the loss of one is no number any more.
    """
    while going := [place for place, each in enumerate(trainings) if not each.is_over]:
        found = losses(going, [trainings[place].batch() for place in going])
        trainings[going[0]].accelerator.backward(torch.stack(list(found)).sum())
        for place, loss in zip(going, found, strict=True):
            trainings[place].step(loss.detach())
    return [each.end() for each in trainings]
