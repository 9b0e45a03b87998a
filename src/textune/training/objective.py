"""What training lowers, and the score by which a checkpoint or a trial is chosen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import nn

from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.engine import plain
from textune.engine.packing import Item
from textune.engine.readout import Readout
from textune.evaluation.metrics.base import metrics_of
from textune.methods.base import Method
from textune.tasks.base import TaskSpec


@dataclass(frozen=True)
class Objective:
    """What training lowers."""

    loss: Callable[[Sequence[Item]], torch.Tensor]
    """Mean loss of a batch, with gradient."""
    weight: Callable[[Sequence[Item]], float]
    """What the mean of a batch is taken over: its items, or the tokens of their answers."""
    runs: int | None = None
    """How often each item is run, alone; None: a batch is one row, and shares its prefix."""
    losses: Callable[[Sequence[Sequence[Item]]], list[torch.Tensor]] | None = None
    """Of several batches that are read with weights side by side; None: that cannot be."""


def objective_of(
    method: Method, adapted: nn.Module, readout: Readout, name: Literal["labels", "answer"]
) -> Objective:
    """On packed rows where the method can, by the plain path elsewhere.

    Where answers are written there are no labels to compare, so it is that of the answer.
    """
    engine, tree = readout.engine, readout.tree
    if tree is None or name == "answer":
        if method.packable:
            return Objective(engine.answer_loss, num_answer_tokens, losses=engine.losses)
        return Objective(partial(plain.answer_loss, adapted), num_answer_tokens, runs=1)
    if method.packable:
        losses = partial(engine.losses, labels=tree)
        return Objective(partial(engine.label_loss, labels=tree), len, losses=losses)
    each = tree.num_labels + 1
    return Objective(partial(plain.label_loss, adapted, labels=tree), len, runs=each)


def num_answer_tokens(items: Sequence[Item]) -> int:
    """Tokens of all answers."""
    return sum(len(item.answer) for item in items)


def validation(readout: Readout, valid: Sequence[Example]) -> Callable[[], float]:
    """Scores the weights as they are; forgets what older weights cached."""

    def evaluate() -> float:
        readout.engine.forget_prefixes()
        return main_score(readout.predict(valid), readout.prompter.task, valid)

    return evaluate


def main_score(said: Predictions, task: TaskSpec, examples: Sequence[Example]) -> float:
    """The task's main metric; 0 where it has no value."""
    scores = metrics_of(task).score(said, [str(e.answer) for e in examples])
    return scores[task.primary_metric] or 0.0
