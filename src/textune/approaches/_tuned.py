"""An adapted language model: how it is trained, answers, is saved and given back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textune.approaches._training import train_network
from textune.approaches.base import Context, Notes, Predictor
from textune.core.artifacts import write_json
from textune.data.examples import Example
from textune.data.predictions import Predictions
from textune.methods.base import Method
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from torch import nn

    from textune.engine.readout import Readout
    from textune.models.load import Pool


class TunedPredictor(Predictor):
    """An adapted model and its readout."""

    def __init__(self, method: Method, adapted: nn.Module, readout: Readout, pool: Pool) -> None:
        from textune.models.load import count_params

        self.method = method
        self.adapted = adapted
        self.readout = readout
        self.pool = pool
        self.notes: Notes = {}
        parameters = list(adapted.parameters())
        self.total_params = sum(count_params(p) for p in parameters)
        self.trainable_params = sum(count_params(p) for p in parameters if p.requires_grad)

    def train(
        self,
        train: Sequence[Example],
        valid: Sequence[Example],
        spec: TrainingSpec,
        *,
        lr: float,
        seed: int,
        context: Context,
    ) -> None:
        """Train what was adapted, in the memory that there is, and note what it was like."""
        from textune.training.accumulation import accumulation, room_beside
        from textune.training.loop import Trainee
        from textune.training.objective import objective_of, validation

        adapted, readout, model = self.adapted, self.readout, self.readout.engine.model
        items = readout.items(train)
        objective = objective_of(self.method, adapted, readout, spec.objective)
        room = room_beside(adapted, context.memory, keeps_best=bool(valid))
        gathered = accumulation(model, adapted, objective, items, spec, room)
        trainee = Trainee(
            adapted,
            gathered.loss,
            validation(readout, valid) if valid else None,
            self.method.hooks(adapted),
            gathered.micro_batches,
        )
        with gathered.prepared():
            notes = train_network(trainee, items, spec, lr=lr, seed=seed, context=context)
        self.notes |= gathered.notes | notes
        readout.engine.forget_prefixes()

    def predict(self, examples: Sequence[Example]) -> Predictions:
        """Answers by the adapted model, with scores (N, C) where labels are scored."""
        return self.readout.predict(examples)

    def num_cut(self, examples: Sequence[Example]) -> int:
        """Those whose prompt is longer than the context."""
        return self.readout.num_cut(examples)

    def save(self, folder: Path) -> None:
        """``adapter``: a PEFT folder (or a model folder), with all that another program needs.

        Beside the weights: tokenizer, chat template, and ``prompt.json`` with the prompt (the
        input goes between ``before`` and ``after``) and the word that stands for each label.
        """
        adapter, prompter = folder / "adapter", self.readout.prompter
        self.method.save(self.adapted, adapter)
        prompter.tokenizer.save_pretrained(adapter)
        prompt = {"before": prompter.prompt.before, "after": prompter.prompt.after}
        write_json(adapter / "prompt.json", {**prompt, "labels": prompter.task.words})

    def close(self) -> None:
        """Take the adapter out of the base and prove that the base is what it was."""
        if self.method.changes_base:
            self.pool.drop()
        else:
            self.method.release(self.adapted)
            self.pool.give_back()
