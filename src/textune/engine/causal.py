"""CausalEngine: answer loss and label scores of a causal model, on packed rows.

The plain padded path with the same meaning is ``engine.plain``; tests hold the two together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from transformers import PreTrainedModel

from textune.cost.meter import count_work
from textune.engine import attention, decoding, packing
from textune.engine.asking import Asked, answers_of, labels_of
from textune.engine.branching import Branch, branches
from textune.engine.decoding import Guide, Segments
from textune.engine.labels import LabelTree
from textune.engine.layout import PrefixCache
from textune.engine.packing import Item, Row
from textune.engine.work import WorkModel, work_model
from textune.models.attending import attending

WRITTEN = 8
"""Rows of prompts that are answered together: each token of an answer reads all weights."""
VirtualTokens = Callable[[], torch.Tensor | None]
"""Gives the embeddings (V, D) of trained virtual tokens, with their gradient."""

PrefixStates = Callable[[], PrefixCache | None]
"""Gives the trained keys and values that stand before every prompt, with their gradient."""


def _nothing() -> None:
    """What a model without trained virtual tokens or states gives."""


@dataclass(frozen=True)
class CausalEngine:
    """Runs one causal model whose adapters, if any, are inside its layers.

    ``virtual`` gives the embeddings of trained virtual tokens, which open the shared prefix;
    ``states`` the trained keys and values that stand before it.
    """

    model: PreTrainedModel
    virtual: VirtualTokens = _nothing
    states: PrefixStates = _nothing
    tokens_in_row: int = 2048
    """Most segment tokens in one scoring row; bounds memory, changes no result."""
    _cached: dict[tuple[int, ...], PrefixCache] = field(default_factory=dict)

    def answer_loss(self, items: Sequence[Item]) -> torch.Tensor:
        """Mean negative log-likelihood (nats) of all answer tokens of a batch; has a gradient."""
        return self._loss(items, answers_of)

    def label_loss(self, items: Sequence[Item], labels: LabelTree) -> torch.Tensor:
        """The objective ``labels`` of a batch (see ``LabelTree.loss``); has a gradient."""
        return self._loss(items, partial(labels_of, labels=labels))

    def losses(
        self, batches: Sequence[Sequence[Item]], labels: LabelTree | None = None
    ) -> list[torch.Tensor]:
        """Of one batch for each of the weights that stand side by side in the model's layers.

        As ``label_loss`` of each, or ``answer_loss`` where there are no labels; no virtual tokens
        and no states may stand before a row.
        """
        objective = answers_of if labels is None else partial(labels_of, labels=labels)
        asked = [objective(batch, virtual=0, before=0) for batch in batches]
        logits_RV = self._logits(packing.behind_each_other([a.row for a in asked]), _Start())
        for each in asked:
            self._count(each.row, training=True)
        parts = torch.split(logits_RV, [len(each.row.read) for each in asked])
        return [each.loss(part) for each, part in zip(asked, parts, strict=True)]

    @torch.no_grad()
    def label_scores(self, prompts: Sequence[Sequence[int]], labels: LabelTree) -> torch.Tensor:
        """Log-likelihood (N, C) of every label after every prompt, in nats, on the CPU.

        The prefix that all prompts share is computed once; it is kept for the next call. What
        groups of them share beyond it is computed once for each, where that is worth it.
        """
        whole = [tuple(p) for p in prompts]
        prefix = self._reusable_prefix(whole)
        stem = self._prefix_cache(prefix)
        scores_NC = torch.zeros(len(prompts), labels.num_labels)
        for branch in branches(whole, len(prefix)):
            cache = self._behind(stem, whole[branch.places[0]][len(prefix) : branch.cut])
            nodes = len(labels.tree.tokens)
            for chosen in self._chunks(whole, branch, nodes, self.tokens_in_row):
                segments = [whole[i][branch.cut :] for i in chosen]
                row = packing.pack_prompts(segments, labels.tree, before=cache.length)
                logits_RV = self._logits(row, _Start(states=cache))
                self._count(row)
                scores_NC[chosen] = labels.scores(logits_RV, len(chosen)).cpu()
        return scores_NC

    @torch.no_grad()
    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        guides: Sequence[Guide],
        *,
        end: int,
        limits: Sequence[int],
    ) -> list[tuple[int, ...]]:
        """What the model writes after every prompt, the likeliest allowed token at each step.

        An answer ends before the ``end`` token, when its guide says so, or at its limit of tokens.
        """
        whole = [tuple(p) for p in prompts]
        prefix = self._reusable_prefix(whole)
        cache = self._prefix_cache(prefix)
        written: list[tuple[int, ...]] = [()] * len(whole)
        everything = Branch(tuple(range(len(whole))), len(prefix))
        for chosen in self._chunks(whole, everything, 0, WRITTEN * self.tokens_in_row):
            own = [whole[i][len(prefix) :] for i in chosen]
            answers = self._written(
                own, cache, [guides[i] for i in chosen], end, [limits[i] for i in chosen]
            )
            for index, answer in zip(chosen, answers, strict=True):
                written[index] = answer
        return written

    def forget_prefixes(self) -> None:
        """Drop cached prefixes; needed whenever the weights have changed."""
        self._cached.clear()

    def _start(self) -> "_Start":
        return _Start(self.virtual(), self.states())

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
            start = self._start()
            row = packing.pack_prefix(prefix, virtual=start.virtual, before=start.before)
            cache = PrefixCache()
            row.layout.record = cache
            if row.layout.in_row:
                self._logits(row, start)
                self._count(row)
            elif start.states is not None:
                cache = start.states
            self._cached.clear()
            self._cached[prefix] = cache
        return self._cached[prefix]

    def _behind(self, stem: PrefixCache, tokens: Sequence[int]) -> PrefixCache:
        """Keys and values of a prefix that goes on with these tokens."""
        if not tokens:
            return stem
        row = packing.pack_prefix(tokens, before=stem.length)
        cache = PrefixCache()
        row.layout.record = cache
        self._logits(row, _Start(states=stem))
        self._count(row)
        return cache

    def _chunks(
        self, prompts: Sequence[tuple[int, ...]], branch: Branch, nodes: int, limit: int
    ) -> Iterator[list[int]]:
        """Indices of prompts, alike in length, so that the padded block wastes little.

        Together they have at most ``limit`` tokens behind the branch, or are a single one.
        """
        chunk: list[int] = []
        for index in sorted(branch.places, key=lambda i: len(prompts[i])):
            width = len(prompts[index]) - branch.cut + nodes
            if chunk and width * (len(chunk) + 1) > limit:
                yield chunk
                chunk = []
            chunk.append(index)
        if chunk:
            yield chunk

    def _written(
        self,
        prompts: Sequence[tuple[int, ...]],
        prefix: PrefixCache,
        guides: Sequence[Guide],
        end: int,
        limits: Sequence[int],
    ) -> list[tuple[int, ...]]:
        """Answers to prompts that stand behind a prefix; who has ended leaves the batch."""
        segments, logits_SV = self._read(prompts, prefix)
        answers: list[list[int]] = [[] for _ in prompts]
        active = list(range(len(prompts)))
        with attending(self.model, decoding.NAME):
            while active:
                tokens = decoding.choose(logits_SV, [guides[i] for i in active])
                going = []
                for place, (index, token) in enumerate(zip(active, tokens, strict=True)):
                    if token != end:
                        answers[index].append(token)
                        if guides[index].take(token) and len(answers[index]) < limits[index]:
                            going.append(place)
                if len(going) < len(active):
                    segments.keep(going)
                active = [active[place] for place in going]
                if active:
                    logits_SV = self._step([tokens[place] for place in going], segments)
        return [tuple(answer) for answer in answers]

    def _read(
        self, prompts: Sequence[tuple[int, ...]], prefix: PrefixCache
    ) -> tuple[Segments, torch.Tensor]:
        """Prompts, which stand by length, behind a prefix; logits (S, vocabulary) after each."""
        everything = Branch(tuple(range(len(prompts))), 0)
        read, logits = [], []
        for chosen in self._chunks(prompts, everything, 0, self.tokens_in_row):
            own = [prompts[i] for i in chosen]
            row = packing.pack_prompts(own, packing.Tree(), before=prefix.length)
            row.layout.own = PrefixCache()
            logits.append(self._logits(row, _Start(states=prefix)))
            self._count(row)
            read.append(Segments.of(prefix, [len(prompt) for prompt in own], row.layout.own))
        return Segments.joined(read), torch.cat(logits)

    def _step(self, tokens: Sequence[int], segments: Segments) -> torch.Tensor:
        """Logits (S, vocabulary) after one more token of every segment, which are then longer."""
        out = self.model(
            input_ids=torch.tensor([tokens], device=self.model.device),
            position_ids=segments.positions_S[None],
            use_cache=False,
            segments=segments,
        )
        segments.advance()
        size = len(tokens)
        flops = self._work.forward(
            tokens=size, read=size, pairs=size * (segments.prefix.length + segments.longest)
        )
        count_work(tokens=size, flops=flops)
        logits: torch.Tensor = out.logits[0]
        return logits

    def _loss(self, items: Sequence[Item], objective: Callable[..., Asked]) -> torch.Tensor:
        """Of one batch, with its gradient; the work is counted with its way back."""
        start = self._start()
        asked = objective(items, virtual=start.virtual, before=start.before)
        logits_RV = self._logits(asked.row, start)
        self._count(asked.row, training=True)
        return asked.loss(logits_RV)

    def _logits(self, row: Row, start: "_Start") -> torch.Tensor:
        """Logits (R, vocabulary) at the row's read places."""
        row = row.to(self.model.device)
        if start.before:
            row.layout.before = start.states
        embeddings = self.model.get_input_embeddings()(row.tokens)
        if start.embeddings is not None:
            embeddings = torch.cat([start.embeddings.to(embeddings.dtype), embeddings])
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

    @cached_property
    def _work(self) -> WorkModel:
        """Counted once: adapters are in the model before its engine is asked."""
        return work_model(self.model)

    def _count(self, row: Row, *, training: bool = False) -> None:
        """Report real tokens, and operations on all of them, to whoever measures."""
        size = {
            "tokens": len(row.positions),
            "read": len(row.read),
            "pairs": _pairs(row),
        }
        flops = self._work.training(**size) if training else self._work.forward(**size)
        count_work(tokens=size["tokens"] - row.layout.filling, flops=flops)


@dataclass(frozen=True)
class _Start:
    """What stands before a row's own tokens."""

    embeddings: torch.Tensor | None = None
    """Of virtual tokens (V, D), put into the row."""
    states: PrefixCache | None = None
    """Keys and values in front of the row."""

    @property
    def virtual(self) -> int:
        """V."""
        return 0 if self.embeddings is None else len(self.embeddings)

    @property
    def before(self) -> int:
        """Tokens in front of the row."""
        return 0 if self.states is None else self.states.length


def _pairs(row: Row) -> int:
    """(query, key) pairs that the attention products compute: whole blocks, masked or not."""
    shapes = [block.gather_SL.shape for block in row.layout.blocks]
    of_prefix = row.layout.in_row * row.layout.prefix
    return of_prefix + sum(s * longest * (row.layout.prefix + longest) for s, longest in shapes)
