"""EncoderEngine: texts through an encoder with a head, whole or word by word.

Not packed: encoders read both ways, so nothing before a text can be shared. Texts of like length
are padded together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from textune.cost.meter import count_work
from textune.engine.padding import divided
from textune.models.device import Precision
from textune.models.encoder_head import BiEncoder, EncoderWithHead

BATCH = 64
"""Texts predicted at once."""
Row = tuple[tuple[int, ...], tuple[int, ...]]
"""What the encoder reads at once: tokens, and which text of a pair each is of."""


@dataclass(frozen=True)
class Encoded:
    """A text or a pair of them, as an encoder reads it."""

    ids: tuple[int, ...]
    types: tuple[int, ...]
    """Which text of a pair each token is of."""
    words: tuple[tuple[int, int], ...]
    """Characters of each word of the first text."""
    places: tuple[int, ...]
    """Place of each word's first token."""
    targets: tuple[int, ...] = ()
    """Class of the text, or of each word; of classes that do not exclude each other 0 or 1 for
    each."""


class EncoderEngine:
    """Runs texts.

    ``by_word`` says whether a class is read for each word or for each text, ``exclusive`` whether
    one class excludes the others.
    """

    def __init__(
        self,
        model: EncoderWithHead,
        tokenizer: Any,
        *,
        context: int,
        by_word: bool,
        exclusive: bool = True,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.context = context
        self.by_word = by_word
        self.exclusive = exclusive
        table = model.encoder.get_input_embeddings()
        self._dense = _size(model) - _size(table)  # tables only look up

    @property
    def precision(self) -> Precision:
        """Number format of the encoder; what is made of its states is fp32."""
        return "float32" if self.model.encoder.dtype == torch.float32 else "bfloat16"

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoded]:
        """Tokens and words of texts that fit the context."""
        if not texts:
            return []
        sides = [list(side) for side in zip(*texts, strict=True)]
        return [_encoded(encoding) for encoding in self.tokenizer(*sides).encodings]

    def length(self, texts: tuple[str, ...]) -> int:
        """Tokens of a text or a pair, whether they fit or not."""
        return len(self.tokenizer(*texts)["input_ids"])

    def loss(self, batch: Sequence[Encoded]) -> torch.Tensor:
        """Mean cross-entropy over all texts or words of a batch, with gradient.

        Where classes do not exclude each other it is the mean over all of them, in or out; where
        a chain judges words together it is that of their sequences, for each word.
        """
        targets_R = torch.tensor([target for each in batch for target in each.targets])
        logits_RC = self._logits(batch, passes=3)
        if not self.exclusive:
            flags_RC = targets_R.to(logits_RC).view_as(logits_RC)
            return functional.binary_cross_entropy_with_logits(logits_RC, flags_RC)
        targets_R = targets_R.to(logits_RC.device)
        if self.model.chain is not None:
            return self.model.chain.loss(logits_RC, targets_R, self._num_read(batch))
        return functional.cross_entropy(logits_RC, targets_R)

    @torch.inference_mode()
    def scores(self, items: Sequence[Encoded]) -> list[torch.Tensor]:
        """For each text probabilities (1, C), or (words, C)."""
        found: list[torch.Tensor] = [torch.empty(0)] * len(items)
        for places, batch in in_batches(items):
            logits_RC = self._logits(batch, passes=1).double().cpu()
            scores_RC = logits_RC.softmax(-1) if self.exclusive else logits_RC.sigmoid()
            parts = torch.split(scores_RC, self._num_read(batch))
            for place, part in zip(places, parts, strict=True):
                found[place] = part
        return found

    @torch.inference_mode()
    def tags(self, items: Sequence[Encoded]) -> list[list[int]]:
        """For each text the likeliest class of each word, or the likeliest ones together."""
        chain = self.model.chain
        if chain is None:
            return [each.argmax(-1).tolist() for each in self.scores(items)]
        found: list[list[int]] = [[]] * len(items)
        for places, batch in in_batches(items):
            logits_RC = self._logits(batch, passes=1)
            paths = chain.tags(logits_RC, self._num_read(batch))
            for place, path in zip(places, paths, strict=True):
                found[place] = path
        return found

    def num_targets(self, item: Encoded) -> int:
        """How many an item has."""
        if self.by_word:
            return len(item.words)
        return 1 if self.exclusive else self.model.head.out_features

    def num_cells(self, batch: Sequence[Encoded]) -> int:
        """Tokens of a batch with its padding."""
        return sum(self._cells(part) for _, part in self._parts(batch))

    def rows(self, batch: Sequence[Encoded]) -> list[Row]:
        """What the encoder reads of a batch: here a row for each text or pair."""
        return [(item.ids, item.types) for item in batch]

    def flops(self, tokens: int, *, passes: int) -> float:
        """Operations on so many tokens, padding included; 3 passes where it trains."""
        return 2.0 * passes * self._dense * tokens

    def _logits(self, batch: Sequence[Encoded], *, passes: int) -> torch.Tensor:
        """Of all that is read, in the order of the batch."""
        found: list[torch.Tensor] = [torch.empty(0)] * len(batch)
        for places, part in self._parts(batch):
            logits_RC = self.model(self._inputs(part, passes=passes), self._read(part))
            each = torch.split(logits_RC, self._num_read(part))
            for place, logits in zip(places, each, strict=True):
                found[place] = logits
        return torch.cat(found)

    def _parts(self, batch: Sequence[Encoded]) -> Iterator[tuple[list[int], list[Encoded]]]:
        """Items that are read at once, with their places."""
        sides = [self.rows([item]) for item in batch]
        lengths = [max(len(ids) for ids, _ in rows) for rows in sides]
        for places in divided(lengths, rows=len(sides[0])):
            yield places, [batch[place] for place in places]

    def _cells(self, part: Sequence[Encoded]) -> int:
        """Tokens with padding of what is read at once."""
        rows = self.rows(part)
        return len(rows) * max(len(ids) for ids, _ in rows)

    def _inputs(self, batch: Sequence[Encoded], *, passes: int) -> dict[str, torch.Tensor]:
        """What the encoder reads, padded; its work is counted."""
        rows = self.rows(batch)
        longest = max(len(ids) for ids, _ in rows)
        inputs = {
            "input_ids": _padded([ids for ids, _ in rows], longest, self._padding),
            "token_type_ids": _padded([types for _, types in rows], longest, 0),
            "attention_mask": _padded([(1,) * len(ids) for ids, _ in rows], longest, 0),
        }
        if "token_type_ids" not in self.tokenizer.model_input_names:
            del inputs["token_type_ids"]
        tokens = len(rows) * longest
        count_work(tokens=tokens, flops=self.flops(tokens, passes=passes))
        return {name: tensor.to(self._device) for name, tensor in inputs.items()}

    def _num_read(self, batch: Sequence[Encoded]) -> list[int]:
        """How many logits each item has."""
        return [len(item.words) if self.by_word else 1 for item in batch]

    def _read(self, batch: Sequence[Encoded]) -> torch.Tensor | None:
        if not self.by_word:
            return None
        pairs = [(row, place) for row, item in enumerate(batch) for place in item.places]
        return torch.tensor(pairs, dtype=torch.long, device=self._device).reshape(-1, 2)

    @property
    def _device(self) -> torch.device:
        return self.model.head.weight.device

    @property
    def _padding(self) -> int:
        return int(self.tokenizer.pad_token_id)


class BiEncoderEngine(EncoderEngine):
    """Runs pairs whose texts are read apart."""

    model: BiEncoder

    @torch.inference_mode()
    def described(self, items: Sequence[Encoded]) -> np.ndarray:
        """What the new layer reads of each pair (N, 4 D)."""
        described_NF = np.zeros((len(items), self.model.head.in_features), dtype=np.float32)
        for places, batch in in_batches(items):
            for own, part in self._parts(batch):
                found = self.model.described(self._inputs(part, passes=1))
                described_NF[[places[place] for place in own]] = found.cpu()
        return described_NF

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoded]:
        """Tokens of both texts, one text behind the other; each fits the context."""
        firsts = super().encode([pair[:1] for pair in texts])
        seconds = super().encode([pair[1:] for pair in texts])
        return [_beside(*sides) for sides in zip(firsts, seconds, strict=True)]

    def rows(self, batch: Sequence[Encoded]) -> list[Row]:
        """All first texts, then all second ones."""
        return [_side(item, text) for text in (0, 1) for item in batch]


def with_targets(item: Encoded, targets: Sequence[int]) -> Encoded:
    """The item with its gold classes."""
    return replace(item, targets=tuple(targets))


def _encoded(encoding: Any) -> Encoded:
    """Words are what the tokenizer splits at spaces and punctuation, in the first text."""
    spans: dict[int, tuple[int, int]] = {}
    places: dict[int, int] = {}
    rows = zip(encoding.word_ids, encoding.sequence_ids, encoding.offsets, strict=True)
    for place, (word, text, (start, end)) in enumerate(rows):
        if word is None or text != 0:
            continue
        places.setdefault(word, place)
        spans[word] = (spans[word][0] if word in spans else start, end)
    return Encoded(
        tuple(encoding.ids),
        tuple(encoding.type_ids),
        tuple(spans.values()),
        tuple(places.values()),
    )


def _beside(first: Encoded, second: Encoded) -> Encoded:
    types = (0,) * len(first.ids) + (1,) * len(second.ids)
    return replace(first, ids=first.ids + second.ids, types=types)


def _side(item: Encoded, text: int) -> Row:
    ids = tuple(id for id, of in zip(item.ids, item.types, strict=True) if of == text)
    return ids, (0,) * len(ids)


def in_batches(items: Sequence[Encoded]) -> Iterator[tuple[list[int], list[Encoded]]]:
    """Items of like length together, with their places."""
    order = sorted(range(len(items)), key=lambda i: len(items[i].ids))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        yield places, [items[i] for i in places]


def _size(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _padded(rows: Sequence[Sequence[int]], length: int, padding: int) -> torch.Tensor:
    return torch.tensor([[*row, *[padding] * (length - len(row))] for row in rows])
