"""Steps that fit into memory: gradients of a batch are gathered from micro-batches.

Where a batch keeps more for its way back than there is room for, it is divided. Where dividing
does not help, or takes longer, layers are run again on the way back instead of keeping what is
inside them. Both change results by rounding only. What decides are shapes and the memory that may
be used, not what is free at the moment, so a training that is taken up again divides as before.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from transformers import PreTrainedModel

from textune.cost.demand import Demand
from textune.engine.footprint import Footprint
from textune.engine.forecast import kept_bytes
from textune.engine.packing import Item, longest
from textune.models.device import device_name
from textune.models.recompute import can_recompute, recomputing
from textune.results.record import Setting
from textune.training.forecast import state_bytes
from textune.training.objective import Objective
from textune.training.settings import TrainingSpec

PASS = 300
"""What a pass costs beside its tokens, as so many more tokens: products of short rows are slow."""
AGAIN = 1.5
"""Time of a step that runs its layers twice by that of one which does not, for frozen weights: two
passes forward and one back. Where all weights train it is 4 / 3."""
MARGIN = 1.1
"""How much more than the measured step another of its size may keep."""


@dataclass(frozen=True)
class Accumulation:
    """How the batches of a training are divided."""

    footprint: Footprint
    objective: Objective
    largest: Sequence[Item]
    """No batch is larger."""
    room: float
    """Bytes that a step may keep for its way back."""
    recomputes: bool = False
    """Whether layers are run again on the way back."""

    def micro_batches(self, batch: Sequence[Item]) -> list[tuple[Sequence[Item], float]]:
        """The batch in parts, each with its share in the mean loss; whole where there is room."""
        if self.has_room(batch):
            return [(batch, 1.0)]
        weight = self.objective.weight
        return [(part, weight(part) / weight(batch)) for part in self._parts(batch)]

    @contextlib.contextmanager
    def prepared(self, model: PreTrainedModel) -> Iterator[None]:
        """A block in which the model runs its layers again on the way back, if it is to."""
        with recomputing(model) if self.recomputes else contextlib.nullcontext():
            yield

    def notes(self) -> dict[str, Setting]:
        """What a record says of steps that are not made as they are where there is room."""
        number = len(self.micro_batches(self.largest))
        if number == 1 and not self.recomputes:
            return {}
        return {"micro_batches": number, "recomputed": "yes" if self.recomputes else "no"}

    def has_room(self, batch: Sequence[Item]) -> bool:
        """Whether the batch can be whole."""
        kept = self.footprint.kept_between if self.recomputes else self.footprint.kept
        return kept(batch) <= self.room

    def probe(self) -> Sequence[Item]:
        """The longest items that certainly have room together, else the shortest one."""
        parts = self._parts(self.largest)
        return next(filter(self.has_room, reversed(parts)), parts[0][:1])

    def better(self) -> "Accumulation":
        """This, or with layers that are run again where that is needed or takes less time."""
        again, parts = replace(self, recomputes=True), self._parts(self.largest)
        if len(parts) == 1 and self.has_room(self.largest):
            return self
        can = all(map(self.has_room, parts))
        return self if can and self._cost() <= again._cost() else again

    def _cost(self) -> float:
        """What the largest step takes, in tokens of a whole one."""
        tokens = sum(self.footprint.tokens(part) + PASS for part in self._parts(self.largest))
        return tokens * (AGAIN if self.recomputes else 1.0)

    def _parts(self, batch: Sequence[Item]) -> list[Sequence[Item]]:
        """As few as have room, of items alike in length; one item alone is never divided."""
        parts: list[Sequence[Item]] = []
        part: list[Item] = []
        for item in longest(batch, len(batch)):
            if part and not self.has_room([*part, item]):
                parts.append(part)
                part = []
            part.append(item)
        return [*parts, part]


def accumulation(
    model: PreTrainedModel,
    adapted: nn.Module,
    objective: Objective,
    items: Sequence[Item],
    spec: TrainingSpec,
    room: float,
) -> Accumulation:
    """How to divide the batches of a training where a step may keep so many bytes.

    Only where the largest may have no room, some of it is run to see what it keeps.
    """
    guess = Footprint.of(model, runs=objective.runs)
    found = Accumulation(guess, objective, longest(items, spec.batch_size), room)
    if found.has_room(found.largest):
        return found
    probe = found.probe()
    with torch.random.fork_rng():
        kept = kept_bytes(lambda: objective.loss(probe), adapted.train())
    found = replace(found, footprint=guess.measured(probe, kept), room=room / MARGIN)
    return found.better() if can_recompute(model) else found


def room_beside(model: nn.Module, adapted: nn.Module, memory: float, *, keeps_best: bool) -> float:
    """Bytes that a step may keep where model, adapter and optimiser share so much memory with it.

    ``keeps_best``: whether the best weights are kept beside the last ones.
    """
    weights = {id(p): p for p in [*model.parameters(), *adapted.parameters()]}
    trainable = [p for p in weights.values() if p.requires_grad]
    demand = Demand(
        total_params=0,
        trainable_params=0,
        weight_bytes=sum(p.numel() * p.element_size() for p in weights.values()),
        state_bytes=sum(state_bytes(p, keeps_best=keeps_best) for p in trainable),
    )
    return demand.room(memory, device_name())
