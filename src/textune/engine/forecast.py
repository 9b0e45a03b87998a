"""What packed passes will need, before there are weights: counts from lengths, bytes from shapes.

What a step keeps for its way back is not computed by a formula for each method. The step is run on
the meta device, where tensors have shapes and no numbers, and autograd is asked what it kept.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from textune.cost.demand import Demand
from textune.engine.causal import CausalEngine
from textune.engine.packing import ROUND, WASTE, shared_prefix
from textune.engine.work import WorkModel, work_model
from textune.models.architecture import weight_bytes

FILLED = (1 + WASTE) / 2
"""Cells of padded blocks for each real token: between none wasted and the most that is allowed."""
PASSES = 10
"""How often what a training step keeps is moved in it: written, read by the next layer, read on
the way back with gradients of the same size; a third of it without a way back (set together with
``cost.rates.CORE``)."""
LONGEST = 2
"""The longest written answer of a batch, as a multiple of the mean."""
COPIES = 5
"""Copies of attention weights that a scoring row holds at once: products with prefix and segment,
both joined, their softmax, its parts."""


@dataclass(frozen=True)
class Size:
    """Size of one or many passes."""

    tokens: int
    read: int
    """Places whose logits are computed."""
    pairs: float
    """(query, key) pairs that attention computes, of one head."""

    def flops(self, work: WorkModel, *, training: bool) -> float:
        """Operations of these passes."""
        count = work.training if training else work.forward
        return count(tokens=self.tokens, read=self.read, pairs=int(self.pairs))


def packed_size(prompts: Sequence[Sequence[int]], *, added: int, before: int, rows: int) -> Size:
    """Size of passes over all prompts, divided into so many rows.

    Args:
        prompts: Whole prompts as tokens.
        added: Tokens that follow each prompt.
        before: Virtual tokens that open each row's prefix.
        rows: Each computes the shared prefix once.
    """
    if not prompts:
        return Size(0, 0, 0.0)
    shared = shared_prefix(prompts)
    prefix = shared + before
    own = [len(prompt) - shared + added for prompt in prompts]
    cells = [max(length * FILLED, length + -length % ROUND) for length in own]
    seen = sum(length * (prefix + length) for length in cells)
    return Size(
        tokens=rows * (prefix + ROUND // 2) + sum(own),
        read=len(prompts) * (1 + added),
        pairs=rows * prefix**2 + seen,
    )


def scoring_demand(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    *,
    added: int,
    before: int = 0,
    writes: bool = False,
) -> Demand:
    """What answering these prompts needs, with whatever adapters the model carries.

    Args:
        model: Weightless.
        prompts: As tokens.
        added: Tokens that follow each prompt.
        before: Virtual tokens that open each row's prefix.
        writes: Whether these are written one by one: each step then reads all weights.
    """
    size = packed_size(prompts, added=added, before=before, rows=1)
    config = model.config.get_text_config()
    weights = weight_bytes(model)
    steps = _rows(prompts, size.tokens) * LONGEST * added if writes else 0
    through = (6 * config.hidden_size + 4 * config.intermediate_size) * model.dtype.itemsize
    return Demand(
        precision="float32" if model.dtype == torch.float32 else "bfloat16",
        total_params=sum(p.numel() for p in model.parameters()),
        trainable_params=0,
        weight_bytes=weights,
        predict_bytes=_row_bytes(model, prompts, added, through) if prompts else 0.0,
        predict_flops=size.flops(work_model(model, ()), training=False),
        predict_traffic=PASSES / 3 * through * config.num_hidden_layers * size.tokens
        + steps * weights,
    )


def _rows(prompts: Sequence[Sequence[int]], tokens: int) -> int:
    """Batches in which these prompts are answered."""
    return -(-tokens // CausalEngine.tokens_in_row) if prompts else 0


def _row_bytes(
    model: PreTrainedModel, prompts: Sequence[Sequence[int]], added: int, through: float
) -> float:
    """What the largest scoring row holds at once: a layer, its attention, logits with softmax."""
    config, size = model.config.get_text_config(), model.dtype.itemsize
    shared = shared_prefix(prompts)
    own = [len(prompt) - shared + added for prompt in prompts]
    tokens = min(CausalEngine.tokens_in_row, sum(own))
    cells = config.num_attention_heads * tokens * FILLED * (shared + max(own))
    read = min(len(own), tokens / min(own)) * (1 + added)
    return float(
        tokens * through + COPIES * cells * size + read * config.vocab_size * (size + 3 * 4)
    )


def kept_bytes(step: Callable[[], torch.Tensor], model: nn.Module) -> int:
    """Bytes that a step of a model on the meta device keeps for its way back, weights not counted.

    ``step`` gives the loss; every storage counts once.
    """
    own = {t.untyped_storage()._cdata for t in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage  # held, so that no other gets its address
        return tensor

    with undecided(), saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(storage.nbytes() for key, storage in kept.items() if key not in own)


@contextlib.contextmanager
def weightless_layers(dtype: torch.dtype) -> Iterator[None]:
    """A block in which new layers have no numbers, and the model's format unless they choose one.

    peft gives new layers the format of their base layer, but not on the meta device.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"), undecided():
            yield
    finally:
        torch.set_default_dtype(before)


def undecided() -> TorchDispatchMode:
    """A block in which a number of the meta device that decides something counts as 0."""
    return _Undecided()  # type: ignore[no-untyped-call]  # torch's


class _Undecided(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return False if args[0].dtype == torch.bool else 0
        return func(*args, **(kwargs or {}))
