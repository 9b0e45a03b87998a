"""Several fits of an adapted language model in one pass over its frozen base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textune.approaches._training import watch_of
from textune.approaches._tuned import TunedPredictor
from textune.approaches.base import FitPart, Notes, Predictor
from textune.core.errors import ImpossibleError
from textune.results.record import SIDE_BY_SIDE
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    import torch

    from textune.engine.packing import Item
    from textune.models.side_by_side import Weights
    from textune.training.loop import Training
    from textune.training.objective import Objective


def fit_beside(
    start: Callable[[FitPart], TunedPredictor],
    parts: Sequence[FitPart],
    spec: TrainingSpec,
    lr: float,
) -> Iterator[Predictor]:
    """Train all parts, then give each as a predictor of its own.

    ``start`` gives a predictor with the first weights of a part; one at a time may be open.

    Raises:
        ImpossibleError: there is no room for two of them at once.
    """
    from textune.models.side_by_side import copied, put

    sets: list[Weights] = []
    for part in parts[1:]:
        other = start(part)
        sets.append(copied(other.adapted))
        other.close()
    first = start(parts[0])
    try:
        together = _Together(first, [copied(first.adapted), *sets], parts, spec, lr)
        notes = together.train()
    finally:
        first.close()
    for part, weights, each in zip(parts, together.sets, notes, strict=True):
        predictor = start(part)
        put(predictor.adapted.eval(), weights)
        predictor.notes |= each
        yield predictor


@dataclass(frozen=True)
class _Together:
    """Trainings of several parts, by the layers of one adapted model."""

    predictor: TunedPredictor
    sets: Sequence[Weights]
    parts: Sequence[FitPart]
    spec: TrainingSpec
    lr: float

    def train(self) -> list[Notes]:
        """As many at once as there is room for; what each was like."""
        from textune.training.objective import objective_of
        from textune.training.together import train_together

        predictor, readout = self.predictor, self.predictor.readout
        objective = objective_of(predictor.method, predictor.adapted, readout, self.spec.objective)
        items = [readout.items(part.train) for part in self.parts]
        width = self._width(objective, items)
        notes: list[Notes] = []
        for begin in range(0, len(items), width):
            places = range(begin, min(begin + width, len(items)))
            trainings = [self._training(objective, items[place], place) for place in places]
            found = train_together(trainings, self._losses(objective, places))
            notes += [each.notes(self.lr) | {SIDE_BY_SIDE: len(places)} for each in found]
        return notes

    def _losses(
        self, objective: Objective, places: Sequence[int]
    ) -> Callable[[Sequence[int], Sequence[Sequence[Item]]], list[torch.Tensor]]:
        """Losses of the trainings at some of these places, by weights of their own."""
        from textune.models.side_by_side import side_by_side

        joint = objective.losses
        assert joint is not None, "a stackable method runs on packed rows"

        def losses(going: Sequence[int], batches: Sequence[Sequence[Item]]) -> list[torch.Tensor]:
            with side_by_side(self.predictor.adapted, [self.sets[places[at]] for at in going]):
                return joint(batches)

        return losses

    def _training(self, objective: Objective, items: Sequence[Item], place: int) -> Training[Item]:
        from textune.models.side_by_side import put
        from textune.training.loop import Trainee, Training
        from textune.training.objective import validation

        predictor, part, weights = self.predictor, self.parts[place], self.sets[place]
        adapted = predictor.adapted
        scored = validation(predictor.readout, part.valid)

        def evaluate() -> float:
            put(adapted, weights)
            return scored()

        trainee = Trainee(
            adapted,
            objective.loss,
            evaluate if part.valid else None,
            predictor.method.hooks(adapted),
            weights=weights,
        )
        watch = watch_of(part.context)
        return Training(trainee, items, self.spec, lr=self.lr, seed=part.seed, watch=watch)

    def _width(self, objective: Objective, items: Sequence[Sequence[Item]]) -> int:
        """As many trainings as there is room for, divided evenly."""
        from textune.engine.packing import longest
        from textune.training.accumulation import accumulation, room_beside
        from textune.training.forecast import state_bytes

        adapted, model = self.predictor.adapted, self.predictor.readout.engine.model
        memory, keeps_best = self.parts[0].context.memory, any(p.valid for p in self.parts)
        room = room_beside(adapted, memory, keeps_best=keeps_best)
        every = longest([item for each in items for item in each], self.spec.batch_size)
        found = accumulation(model, adapted, objective, every, self.spec, room)
        kept = found.footprint.kept(found.largest)
        another = kept + sum(
            weight.nbytes + state_bytes(weight, keeps_best=keeps_best)
            for weight in self.sets[0].values()
        )
        most = 1 + int((found.room - kept) // another)
        if found.sparing or most < 2:
            raise ImpossibleError(
                "there is no room for two trainings at once", hint="do one after the other"
            )
        rounds = -(-len(items) // most)
        return -(-len(items) // rounds)
