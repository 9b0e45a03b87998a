"""Steps that fit into memory: gradients of a batch are gathered from micro-batches.

Where a batch keeps more for its way back than there is room for, it is divided, or its layers are
run again on the way back instead of keeping what is inside them, whichever takes less. Both change
results by rounding only. What decides are shapes and the memory that may be used, not what is free
at the moment, so a training that is taken up again divides as before.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from transformers import PreTrainedModel

from textune.cost.demand import Demand
from textune.cost.memory import sparing_memory
from textune.engine.footprint import Footprint
from textune.engine.forecast import kept_bytes
from textune.engine.packing import Item, longest
from textune.models.architecture import weight_bytes
from textune.models.device import device_name
from textune.models.recompute import recomputing
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
"""How much more than the measured step another of its size may keep, for each of its tokens."""


@dataclass(frozen=True)
class Room:
    """Bytes that a step may keep for its way back."""

    usual: float
    """With a heap that keeps what is freed, and has holes."""
    sparing: float
    """Where memory is taken and given back array by array."""


@dataclass(frozen=True)
class Accumulation:
    """How the batches of a training are divided."""

    model: PreTrainedModel
    objective: Objective
    footprint: Footprint
    room: float
    """Bytes that a step may keep for its way back."""
    largest: Sequence[Item]
    """No batch is larger."""
    sparing: bool = False
    """Whether memory is short; else every batch stays whole, and nobody asks for its size."""

    def micro_batches(self, batch: Sequence[Item]) -> list[tuple[Sequence[Item], float]]:
        """The batch in parts, each with its share in the mean loss; whole where there is room."""
        if not self.sparing or self._has_room(batch):
            return [(batch, 1.0)]
        kept, between = self.footprint.kept, self.footprint.kept_between
        parts = min(self._divided(batch, kept), self._divided(batch, between), key=self._cost)
        weight = self.objective.weight
        return [(part, weight(part) / weight(batch)) for part in parts]

    def loss(self, part: Sequence[Item]) -> torch.Tensor:
        """Mean loss of a part, with gradient; its layers run again on the way back if need be."""
        recomputed = self.sparing and not self._has_room(part)
        with recomputing(self.model) if recomputed else contextlib.nullcontext():
            return self.objective.loss(part)

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """A block in which a training takes no more memory than it must, if it is short."""
        with sparing_memory() if self.sparing else contextlib.nullcontext():
            yield

    @property
    def notes(self) -> dict[str, Setting]:
        """What a record says where memory is short, about the largest step."""
        if not self.sparing:
            return {}
        parts = [part for part, _ in self.micro_batches(self.largest)]
        recomputed = not all(map(self._has_room, parts))
        return {"micro_batches": len(parts), "recomputed": "yes" if recomputed else "no"}

    def fits(self) -> bool:
        """Whether the largest batch has room as it is."""
        return self._has_room(self.largest)

    def measured(self, adapted: nn.Module) -> "Accumulation":
        """With what the longest items keep that certainly have room together, or the shortest."""
        adapted.train()
        parts = self._divided(self.largest, self.footprint.kept)
        probe = next(filter(self._has_room, reversed(parts)), parts[0][:1])
        with torch.random.fork_rng():
            kept = kept_bytes(lambda: self.objective.loss(probe), adapted)
        known = self.footprint.measured(probe, MARGIN * kept)
        return replace(self, footprint=known)

    def _has_room(self, part: Sequence[Item]) -> bool:
        return self.footprint.kept(part) <= self.room

    def _cost(self, parts: Sequence[Sequence[Item]]) -> float:
        """What a step in these parts takes, in tokens of a whole one."""
        return sum(
            PASS + self.footprint.tokens(part) * (1.0 if self._has_room(part) else AGAIN)
            for part in parts
        )

    def _divided(
        self, batch: Sequence[Item], kept: Callable[[Sequence[Item]], float]
    ) -> list[Sequence[Item]]:
        """As few parts as have room, of items alike in length; an item is never divided."""
        parts: list[Sequence[Item]] = []
        part: list[Item] = []
        for item in longest(batch, len(batch)):
            if part and kept([*part, item]) > self.room:
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
    room: Room,
) -> Accumulation:
    """How to divide the batches of a training.

    Only where the largest may have no room, some of it is run to see what it keeps.
    """
    guess = Footprint.of(model, runs=objective.runs)
    largest = longest(items, spec.batch_size)
    found = Accumulation(model, objective, guess, room.usual, largest)
    if found.fits() or (found := found.measured(adapted)).fits():
        return found
    return replace(found, room=room.sparing, sparing=True)


def room_beside(adapted: nn.Module, memory: float, *, keeps_best: bool) -> Room:
    """What an adapted model and its optimiser leave of so much memory to a step.

    ``keeps_best``: whether the best weights are kept beside the last ones.
    """
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    demand = Demand(
        total_params=0,
        trainable_params=0,
        weight_bytes=weight_bytes(adapted),
        state_bytes=sum(state_bytes(p, keeps_best=keeps_best) for p in trainable),
    )
    usual, sparing = (demand.room(memory, device_name(), sparing=each) for each in (False, True))
    return Room(usual, sparing)
