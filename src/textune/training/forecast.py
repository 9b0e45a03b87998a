"""What training a method on a model will need: the largest step of it, run without weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn
from transformers import PreTrainedModel

from textune.core.seeds import generator
from textune.cost.demand import Demand
from textune.engine.causal import CausalEngine
from textune.engine.footprint import Footprint
from textune.engine.forecast import (
    PASSES,
    Size,
    kept_bytes,
    packed_size,
    scoring_demand,
    undecided,
    weightless_layers,
)
from textune.engine.packing import Item, longest
from textune.engine.work import work_model
from textune.methods.base import Method
from textune.models.architecture import packed_parameters, weight_bytes
from textune.training.masters import update_of
from textune.training.settings import TrainingSpec

UPDATE_BYTES, UPDATE_BYTES_AT_ONCE = 52, 32
"""Moved for each trainable parameter in a step: its 16-bit gradient is read for its norm (2) and
copied to the master's (6), which is clipped (8), AdamW reads four numbers and writes three (28),
the master is copied back (6), the gradient is zeroed (2). At once: norm and zeros (4), and a pass
that reads the gradient and three numbers, and writes these and the parameter (28)."""


@dataclass(frozen=True)
class Course:
    """What passes through the model in a cell, as tokens."""

    train: list[Item]
    valid: list[tuple[int, ...]]
    test: list[tuple[int, ...]]
    added: int
    """Tokens that follow a prompt in predicting."""
    writes: bool = False
    """Whether they are written one by one."""


Loss = Callable[[nn.Module, CausalEngine], Callable[[Sequence[Item]], torch.Tensor]]
"""Gives how the loss of a batch is computed."""


def tuning_demand(
    method: Method,
    model: PreTrainedModel,
    course: Course,
    spec: TrainingSpec,
    loss: Loss,
    *,
    trial: Course | None = None,
    trials: int = 0,
) -> Demand:
    """What a tuned cell needs; ``model`` is weightless and comes back as it was.

    ``trial`` is what passes in each of so many trials before the training that counts.

    Raises:
        Exception: whatever the method raises on this model.
    """
    own = {id(p) for p in model.parameters()}
    packed = packed_parameters(model) if method.quantisation != "none" else []
    base = weight_bytes(model, packed)
    with weightless_layers(model.dtype):
        adapted = method.apply(model, [])
    try:
        added = sum(_bytes(p) for p in adapted.parameters() if id(p) not in own)
        step = _largest_step(method, model, adapted, course, spec, loss)
        unpacked = float(sum(p.numel() for p in packed))
        whole = _passing(step, model, adapted, course, spec, unpacked)
        if trial is not None:
            whole = whole.after(
                _passing(step, model, adapted, trial, spec, unpacked), times=trials
            )
        return replace(whole, weight_bytes=base + added)
    finally:
        if not method.changes_base:
            method.release(adapted)
        model.requires_grad_(False)


def largest_batch(items: Sequence[Item], spec: TrainingSpec, *, seed: int) -> list[Item]:
    """The batch with most tokens of the first epoch, in the order that the loop draws."""
    order, size = generator(seed, "order", 0).permutation(len(items)), spec.batch_size
    batches = [[items[i] for i in order[k : k + size]] for k in range(0, len(items), size)]
    return max(batches, key=lambda batch: sum(len(item.prompt) for item in batch))


@dataclass(frozen=True)
class _Step:
    """The largest training step."""

    kept: float
    """Bytes that it keeps for its way back."""
    least: float
    """Those of the longest example alone, where layers are run again."""
    prompts: list[tuple[int, ...]]
    before: int
    """Virtual tokens that open its row."""


def _largest_step(
    method: Method,
    model: PreTrainedModel,
    adapted: nn.Module,
    course: Course,
    spec: TrainingSpec,
    loss: Loss,
) -> _Step:
    engine, batch = method.engine(model, adapted), largest_batch(course.train, spec, seed=0)
    kept = kept_bytes(lambda: loss(adapted.train(), engine)(batch), adapted)
    adapted.eval()
    footprint = Footprint.of(model, runs=None if method.packable else 1).measured(batch, kept)
    alone = longest(course.train, 1)
    least = min(footprint.kept(alone), footprint.kept_between(alone))
    return _Step(kept, least, [item.prompt for item in batch], _opening(method, adapted))


def _passing(
    step: _Step,
    model: PreTrainedModel,
    adapted: nn.Module,
    course: Course,
    spec: TrainingSpec,
    unpacked: float,
) -> Demand:
    """Everything but weights; ``unpacked`` are those that a pass unpacks from 4 bits."""
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    num_trainable = sum(p.numel() for p in trainable)
    updated = sum(update_bytes(p) for p in trainable)
    layers = model.config.get_text_config().num_hidden_layers
    prompts = [item.prompt for item in course.train]
    passes, steps = spec.passes(len(prompts)), spec.total_steps(len(prompts))

    def size(prompts: Sequence[tuple[int, ...]], rows: int, *, gold: int = 0) -> Size:
        return packed_size(prompts, added=course.added + gold, before=step.before, rows=rows)

    fitting = size(prompts * passes, steps, gold=1)
    checking = size(course.valid * passes, passes)
    work = work_model(model)
    gradient = max(map(_bytes, trainable), default=0)
    rate = step.kept / size(step.prompts, 1, gold=1).tokens
    scoring = scoring_demand(
        model, course.test, added=course.added, before=step.before, writes=course.writes
    )
    return replace(
        scoring,
        total_params=sum(p.numel() for p in adapted.parameters()),
        trainable_params=num_trainable,
        state_bytes=sum(state_bytes(p, keeps_best=bool(course.valid)) for p in trainable),
        kept_bytes=step.kept + step.kept / layers + gradient,
        least_kept=step.least + gradient,
        fit_flops=fitting.flops(work, training=True) + checking.flops(work, training=False),
        fit_traffic=PASSES * rate * fitting.tokens + steps * updated,
        unpacked=2.0 * steps * unpacked,
        predict_unpacked=scoring.predict_passes * unpacked,
        launches=3.0 * steps * layers,
    )


def _opening(method: Method, adapted: nn.Module) -> int:
    """Virtual tokens before every prompt."""
    with undecided():
        virtual, states = method.virtual_tokens(adapted), method.prefix_states(adapted)
    return (0 if virtual is None else len(virtual)) + (0 if states is None else states.length)


def _bytes(parameter: nn.Parameter) -> int:
    return parameter.numel() * parameter.element_size()


def state_bytes(parameter: nn.Parameter, *, keeps_best: bool) -> int:
    """What a trainable parameter has beside it, as ``training.masters`` makes it.

    Gradient and moments, a master, with its gradient where it is not updated at once, and the best
    values where they are kept.
    """
    each = parameter.element_size() + 8 + 4 * keeps_best
    if parameter.dtype != torch.float32:
        each += 8 if update_of(parameter) is None else 4
    return parameter.numel() * each


def update_bytes(parameter: nn.Parameter) -> int:
    """What an update of it moves."""
    each = UPDATE_BYTES if update_of(parameter) is None else UPDATE_BYTES_AT_ONCE
    return parameter.numel() * each
