"""Layers that are run again on the way back, so that only what goes into them is kept.

Chen et al., 2016, arXiv:1604.06174, section 3. The switch is in every decoder layer of
transformers; it works in training alone.
"""

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from textune.models.attending import attending, attention_of

Contexts = tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def recomputing(model: PreTrainedModel) -> Iterator[None]:
    """A block in which layers that are run forward will be run again on the way back.

    Where a model's layers lack the switch, nothing changes. The second run has the attention of
    the first, whatever the model has by then.
    """

    def contexts() -> Contexts:
        """Of a layer on the way forward, and when it is run again."""
        return contextlib.nullcontext(), attending(model, attention_of(model))

    layers, run = _layers(model), partial(checkpoint, use_reentrant=False, context_fn=contexts)
    for layer in layers:
        layer._gradient_checkpointing_func = run
        layer.gradient_checkpointing = True
    try:
        yield
    finally:
        for layer in layers:
            layer.gradient_checkpointing = False
            del layer._gradient_checkpointing_func


def _layers(model: nn.Module) -> list[Any]:  # torch types their attributes as modules
    return [m for m in model.modules() if isinstance(m, GradientCheckpointingLayer)]
