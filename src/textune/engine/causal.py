"""CausalEngine: answer loss and label scores of a causal model, on packed rows.

The plain padded path with the same meaning is ``engine.plain``; tests hold the two together.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch.nn import functional
from transformers import PreTrainedModel

from textune.cost.meter import count_work
from textune.engine import attention, packing
from textune.engine.attention import PrefixCache
from textune.engine.labels import LabelTree
from textune.engine.packing import Item, Row
from textune.engine.work import work_model

VirtualTokens = Callable[[], torch.Tensor]
"""Gives the embeddings (V, D) of trained virtual tokens, with their gradient."""


@dataclass(frozen=True)
class CausalEngine:
    """Runs one causal model whose adapters, if any, are inside its layers.

    ``virtual`` gives the embeddings of trained virtual tokens, which open the shared prefix.
    """

    model: PreTrainedModel
    virtual: VirtualTokens | None = None
    tokens_in_row: int = 4096
    """Most segment tokens in one scoring row; bounds memory, changes no result."""
    _cached: dict[tuple[int, ...], PrefixCache] = field(default_factory=dict)

    def answer_loss(self, items: Sequence[Item]) -> torch.Tensor:
        """Mean negative log-likelihood (nats) of all answer tokens of a batch; has a gradient."""
        virtual = self._virtual_embeddings()
        row, targets = packing.pack_answers(items, virtual=_length(virtual))
        logits_RV = self._logits(row, virtual)
        trains = [p for p in self.model.parameters() if p.requires_grad]
        self._count(row, training=trains)
        return functional.cross_entropy(logits_RV.float(), targets.to(logits_RV.device))

    @torch.no_grad()
    def label_scores(self, prompts: Sequence[Sequence[int]], labels: LabelTree) -> torch.Tensor:
        """Log-likelihood (N, C) of every label after every prompt, in nats, on the CPU.

        The prefix that all prompts share is computed once; it is kept for the next call.
        """
        whole = [tuple(p) for p in prompts]
        prefix = self._reusable_prefix(whole)
        cache = self._prefix_cache(prefix)
        cached = len(prefix) + _length(self._virtual_embeddings())
        scores_NC = torch.zeros(len(prompts), labels.num_labels)
        for chosen in self._chunks(whole, len(prefix), len(labels.tree.tokens)):
            segments = [whole[i][len(prefix) :] for i in chosen]
            row = packing.pack_prompts(segments, labels.tree, cached=cached)
            row.layout.cache = cache
            logits_RV = self._logits(row, None)
            self._count(row)
            scores_NC[chosen] = labels.scores(logits_RV.float(), len(chosen)).cpu()
        return scores_NC

    def forget_prefixes(self) -> None:
        """Drop cached prefixes; needed whenever the weights have changed."""
        self._cached.clear()

    def _virtual_embeddings(self) -> torch.Tensor | None:
        return None if self.virtual is None else self.virtual()

    def _reusable_prefix(self, prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
        """A cached prefix where it fits all prompts, so that single calls are fast too."""
        shared = prompts[0][: packing.shared_prefix(prompts)] if prompts else ()
        for known in self._cached:
            close = len(known) * 2 >= len(shared) or len(prompts) == 1
            if close and shared[: len(known)] == known:
                return known
        return shared

    def _prefix_cache(self, prefix: tuple[int, ...]) -> PrefixCache:
        if prefix not in self._cached:
            virtual = self._virtual_embeddings()
            row = packing.pack_prefix(prefix, virtual=_length(virtual))
            cache = PrefixCache()
            row.layout.record = cache
            if row.positions.numel():
                self._logits(row, virtual)
                self._count(row)
            self._cached.clear()
            self._cached[prefix] = cache
        return self._cached[prefix]

    def _chunks(
        self, prompts: Sequence[tuple[int, ...]], cut: int, nodes: int
    ) -> Iterator[list[int]]:
        """Indices of prompts, alike in length, so that the padded block wastes little."""
        chunk: list[int] = []
        for index in sorted(range(len(prompts)), key=lambda i: len(prompts[i])):
            width = len(prompts[index]) - cut + nodes
            if chunk and width * (len(chunk) + 1) > self.tokens_in_row:
                yield chunk
                chunk = []
            chunk.append(index)
        if chunk:
            yield chunk

    def _logits(self, row: Row, virtual: torch.Tensor | None) -> torch.Tensor:
        """Logits (R, vocabulary) at the row's read places."""
        row = row.to(self.model.device)
        embeddings = self.model.get_input_embeddings()(row.tokens)
        if virtual is not None:
            embeddings = torch.cat([virtual.to(embeddings.dtype), embeddings])
        with attending(self.model, attention.NAME):
            out = self.model(
                inputs_embeds=embeddings.unsqueeze(0),
                position_ids=row.positions.unsqueeze(0),
                use_cache=False,
                logits_to_keep=row.read,
                layout=row.layout,
            )
        logits: torch.Tensor = out.logits[0]
        return logits

    def _count(self, row: Row, *, training: Sequence[torch.nn.Parameter] | None = None) -> None:
        """Report tokens and operations to whoever measures."""
        size = {
            "tokens": len(row.positions),
            "read": len(row.read),
            "pairs": _pairs(row),
        }
        work = work_model(self.model, training or ())
        flops = work.forward(**size) if training is None else work.training(**size)
        count_work(tokens=size["tokens"], flops=flops)


@contextlib.contextmanager
def attending(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Run a model with the attention of that name, then put back what it had."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _length(virtual: torch.Tensor | None) -> int:
    return 0 if virtual is None else len(virtual)


def _pairs(row: Row) -> int:
    """(query, key) pairs that the attention products compute: whole blocks, masked or not."""
    shapes = [block.gather_SL.shape for block in row.layout.blocks]
    in_segments = sum(len(block.real_T) for block in row.layout.blocks)
    of_prefix = (len(row.positions) - in_segments) ** 2
    return of_prefix + sum(s * longest * (row.layout.prefix + longest) for s, longest in shapes)
