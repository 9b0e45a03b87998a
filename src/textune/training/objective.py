"""What training lowers, and the score by which a checkpoint or a trial is chosen."""

from collections.abc import Callable, Sequence
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


def loss_of(
    method: Method,
    adapted: nn.Module,
    readout: Readout,
    objective: Literal["labels", "answer"],
) -> Callable[[Sequence[Item]], torch.Tensor]:
    """The loss of a batch: on packed rows where the method can, by the plain path elsewhere.

    Where answers are written there are no labels to compare, so it is that of the answer.
    """
    engine, tree = readout.engine, readout.tree
    if tree is not None and objective == "labels":
        if method.packable:
            return lambda items: engine.label_loss(items, tree)
        return lambda items: plain.label_loss(adapted, items, tree)
    if method.packable:
        return engine.answer_loss
    return lambda items: plain.answer_loss(adapted, items)


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
