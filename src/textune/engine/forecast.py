"""What packed passes will need, before there are weights: counts from lengths, bytes from shapes.

What a step keeps for its way back is not computed by a formula for each method. The step is run on
the meta device, where tensors have shapes and no numbers, and autograd is asked what it kept.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import PreTrainedModel

from textune.cost.demand import Demand
from textune.data.examples import Example
from textune.engine.branching import branches
from textune.engine.causal import WRITTEN, CausalEngine
from textune.engine.packing import ROUND, WASTE, shared_prefix
from textune.engine.work import WorkModel, work_model
from textune.models.architecture import weight_bytes

if TYPE_CHECKING:
    from textune.engine.readout import Readout

FILLED = (1 + WASTE) / 2
"""Cells of padded blocks for each real token: between none wasted and the most that is allowed."""
PASSES = 5
"""How often what a training step keeps is moved in it: written, read by the next layer, read on
the way back, and a gradient of its size written and read; a third of it without a way back."""
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
    return Size(
        tokens=rows * (prefix + ROUND // 2) + sum(own),
        read=len(prompts) * (1 + added),
        pairs=rows * prefix**2 + _pairs(own, prefix),
    )


def scored_size(prompts: Sequence[Sequence[int]], *, added: int, before: int) -> Size:
    """As ``packed_size`` in one row, where prompts that share more have a prefix of their own."""
    whole = [tuple(prompt) for prompt in prompts]
    if not whole:
        return Size(0, 0, 0.0)
    shared = shared_prefix(whole)
    stem = shared + before
    tokens, pairs = stem + ROUND // 2, float(stem**2)
    for branch in branches(whole, shared):
        extra, prefix = branch.cut - shared, branch.cut + before
        own = [len(whole[place]) - branch.cut + added for place in branch.places]
        tokens += extra + sum(own)
        pairs += extra * prefix + _pairs(own, prefix)
    return Size(tokens, len(whole) * (1 + added), pairs)


def _pairs(own: Sequence[int], prefix: int) -> float:
    """(query, key) pairs of segments with so many tokens behind a prefix."""
    cells = [max(length * FILLED, length + -length % ROUND) for length in own]
    return sum(length * (prefix + length) for length in cells)


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
        writes: Whether these are written one by one: each step then reads all weights, and each
            token keys and values of its prompt.
    """
    if writes:
        size = packed_size(prompts, added=added, before=before, rows=1)
    else:
        size = scored_size(prompts, added=added, before=before)
    config = model.config.get_text_config()
    weights = weight_bytes(model)
    longest = CausalEngine.tokens_in_row
    rows = -(-size.tokens // longest) if prompts else 0
    steps = -(-rows // WRITTEN) * LONGEST * added if writes else 0
    read_back = added * size.tokens * _state_bytes(model) if writes else 0
    through = (6 * config.hidden_size + 4 * config.intermediate_size) * model.dtype.itemsize
    return Demand(
        precision="float32" if model.dtype == torch.float32 else "bfloat16",
        total_params=sum(p.numel() for p in model.parameters()),
        trainable_params=0,
        weight_bytes=weights,
        predict_bytes=_row_bytes(model, prompts, added, through, writes) if prompts else 0.0,
        predict_flops=size.flops(work_model(model), training=False),
        predict_traffic=PASSES / 3 * through * config.num_hidden_layers * size.tokens
        + steps * weights
        + read_back,
        predict_passes=rows + steps,
    )


def answering_demand(
    readout: "Readout", train: Sequence[Example], test: Sequence[Example]
) -> Demand:
    """What a readout needs to answer the test part, on a weightless model.

    A model that reasons reads every prompt twice, the second time with the reasoning behind it. A
    free text is taken to have half the tokens that it may have.
    """
    prompts = readout.asked(test)
    model, added = readout.engine.model, readout.added(train)
    demand = scoring_demand(model, prompts, added=added, writes=readout.writes)
    if not readout.prompter.reasoned:
        return demand
    filler = (0,) * added
    longer = [(*prompt, *filler) for prompt in prompts]
    again = scoring_demand(model, longer, added=0)
    return replace(
        demand,
        predict_flops=demand.predict_flops + again.predict_flops,
        predict_traffic=demand.predict_traffic + again.predict_traffic,
        predict_bytes=max(demand.predict_bytes, again.predict_bytes),
        predict_passes=demand.predict_passes + again.predict_passes,
    )


def _row_bytes(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    added: int,
    through: float,
    writes: bool,
) -> float:
    """What the largest row holds at once: a layer, its attention, logits with softmax.

    Where answers are written, also keys and values of all prompts that are answered together.
    """
    config, size = model.config.get_text_config(), model.dtype.itemsize
    shared, longest = shared_prefix(prompts), CausalEngine.tokens_in_row
    own = [len(prompt) - shared + added for prompt in prompts]
    tokens = min(longest, sum(own))
    heads = config.num_attention_heads
    kept = min(WRITTEN * longest, sum(own)) if writes else 0
    cells = heads * tokens * FILLED * (shared + max(own))
    read = min(len(own), tokens / min(own)) * (1 + added)
    return float(
        tokens * through
        + COPIES * cells * size
        + read * config.vocab_size * (size + 3 * 4)
        + kept * _state_bytes(model)
    )


def _state_bytes(model: PreTrainedModel) -> int:
    """Of keys and values of a token, in all layers."""
    config = model.config.get_text_config()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    width *= getattr(config, "num_key_value_heads", None) or heads
    return int(2 * width * config.num_hidden_layers * model.dtype.itemsize)


def kept_bytes(step: Callable[[], torch.Tensor], model: nn.Module) -> int:
    """Bytes that a step keeps for its way back, its model's weights not counted.

    The model may be on the meta device.

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
