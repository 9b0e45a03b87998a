"""What a training step asks of a causal model: a packed row, and what its logits are worth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from textune.engine import packing
from textune.engine.labels import LabelTree
from textune.engine.packing import Item, Row
from textune.models.log_probs import log_probs_at


@dataclass(frozen=True)
class Asked:
    """One batch."""

    row: Row
    loss: Callable[[torch.Tensor], torch.Tensor]
    """Mean loss of the batch by the logits (R, vocabulary) at the row's read places."""


def answers_of(items: Sequence[Item], *, virtual: int, before: int) -> Asked:
    """The likelihood of answers, behind so many virtual tokens and keys before the row."""
    row, targets = packing.pack_answers(items, virtual=virtual, before=before)

    def loss(logits_RV: torch.Tensor) -> torch.Tensor:
        places = torch.arange(len(targets), device=logits_RV.device)
        return -log_probs_at(logits_RV, places, targets.to(logits_RV.device)).mean()

    return Asked(row, loss)


def labels_of(items: Sequence[Item], *, labels: LabelTree, virtual: int, before: int) -> Asked:
    """The choice among labels; items stand in the row by length, so that blocks waste little."""
    items = sorted(items, key=lambda item: len(item.prompt))
    gold = [labels.index(item.answer) for item in items]
    trees = [labels.with_gold(label) for label in gold]
    prompts = [item.prompt for item in items]
    row = packing.pack_labels(prompts, trees, virtual=virtual, before=before)
    return Asked(row, lambda logits_RV: labels.loss(logits_RV, gold))
