"""EncoderEngine: texts through an encoder with a head, whole or word by word.

How the encoder reads them is not covered here (``engine.encoder_rows``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from textune.cost.meter import count_work
from textune.engine.encoder_rows import EncoderRows, Text
from textune.models.device import Precision
from textune.models.encoder_head import BiEncoder, EncoderWithHead

BATCH = 64
"""Texts predicted at once."""


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
        self._rows = EncoderRows(model.encoder, tokenizer)
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
        """Tokens that are computed for a batch, with what fills rows up."""
        return self._rows.num_cells([len(ids) for ids, _ in self.texts(batch)])

    def texts(self, batch: Sequence[Encoded]) -> list[Text]:
        """What the encoder reads of a batch: here one for each text or pair."""
        return [(item.ids, item.types) for item in batch]

    def flops(self, tokens: int, *, passes: int) -> float:
        """Operations on so many tokens, filling included; 3 passes where it trains."""
        return 2.0 * passes * self._dense * tokens

    def _logits(self, batch: Sequence[Encoded], *, passes: int) -> torch.Tensor:
        """Of all that is read, in the order of the batch."""
        states_TD, lengths = self._states(batch, passes=passes)
        logits_RC: torch.Tensor = self.model(states_TD, lengths, self._read(batch))
        return logits_RC

    def _states(self, batch: Sequence[Encoded], *, passes: int) -> tuple[torch.Tensor, list[int]]:
        """The encoder's last states of all texts, and their lengths; its work is counted."""
        texts, cells = self.texts(batch), self.num_cells(batch)
        count_work(tokens=cells, flops=self.flops(cells, passes=passes))
        return self._rows.states(texts), [len(ids) for ids, _ in texts]

    def _num_read(self, batch: Sequence[Encoded]) -> list[int]:
        """How many logits each item has."""
        return [len(item.words) if self.by_word else 1 for item in batch]

    def _read(self, batch: Sequence[Encoded]) -> torch.Tensor | None:
        """Places of the words' first tokens; None where texts are read as a whole."""
        if not self.by_word:
            return None
        places, start = [], 0
        for item in batch:
            places += [start + place for place in item.places]
            start += len(item.ids)
        return torch.tensor(places, dtype=torch.long, device=self.model.head.weight.device)


class BiEncoderEngine(EncoderEngine):
    """Runs pairs whose texts are read apart."""

    model: BiEncoder

    @torch.inference_mode()
    def described(self, items: Sequence[Encoded]) -> np.ndarray:
        """What the new layer reads of each pair (N, 4 D)."""
        described_NF = np.zeros((len(items), self.model.head.in_features), dtype=np.float32)
        for places, batch in in_batches(items):
            states_TD, lengths = self._states(batch, passes=1)
            described_NF[places] = self.model.described(states_TD, lengths).cpu()
        return described_NF

    def encode(self, texts: Sequence[tuple[str, ...]]) -> list[Encoded]:
        """Tokens of both texts, one text behind the other; each fits the context."""
        firsts = super().encode([pair[:1] for pair in texts])
        seconds = super().encode([pair[1:] for pair in texts])
        return [_beside(*sides) for sides in zip(firsts, seconds, strict=True)]

    def texts(self, batch: Sequence[Encoded]) -> list[Text]:
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


def _side(item: Encoded, text: int) -> Text:
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
