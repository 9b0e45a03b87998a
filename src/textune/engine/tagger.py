"""TaggerEngine: words of texts through a tagger, and what that costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from textune.cost.meter import count_work
from textune.models.tagger import Tagger
from textune.models.words import PADDING

BATCH = 64
"""Texts predicted at once."""
LONGEST = 50
"""Bytes of a word that are read; of a longer one the first."""


@dataclass(frozen=True)
class Words:
    """A text as a tagger reads it."""

    spans: tuple[tuple[int, int], ...]
    """Characters of each word."""
    ids: tuple[int, ...]
    """The number of each."""
    spellings: tuple[bytes, ...]
    """The letters of each."""
    tags: tuple[int, ...] = ()
    """The gold tag of each."""


class TaggerEngine:
    """Runs texts; those without words cost nothing and have no tags."""

    def __init__(self, network: Tagger) -> None:
        self.network = network
        layers = (network.lstm, network.head)
        self._by_word = sum(p.numel() for layer in layers for p in layer.parameters())
        self._by_byte = sum(p.numel() for p in network.spelling.parameters())

    def loss(self, batch: Sequence[Words]) -> torch.Tensor:
        """Negative log-likelihood of the gold tags, for each word of a batch, with gradient."""
        scores_RC, lengths = self._scores(batch, passes=3)
        tags_R = torch.tensor([tag for item in batch for tag in item.tags])
        return self.network.chain.loss(scores_RC, tags_R.to(scores_RC.device), lengths)

    @torch.inference_mode()
    def tags(self, items: Sequence[Words]) -> list[list[int]]:
        """The likeliest tags of each text."""
        found: list[list[int]] = [[] for _ in items]
        order = sorted(
            (i for i, item in enumerate(items) if item.ids), key=lambda i: _size(items[i])
        )
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            scores_RC, lengths = self._scores([items[i] for i in chosen], passes=1)
            paths = self.network.chain.tags(scores_RC, lengths)
            for place, path in zip(chosen, paths, strict=True):
                found[place] = path
        return found

    def _scores(self, batch: Sequence[Words], *, passes: int) -> tuple[torch.Tensor, list[int]]:
        """Scores (R, C) of the tags of all words, and the words of each text."""
        lengths = [len(item.ids) for item in batch]
        letters = [
            [byte + 1 for byte in word[:LONGEST]] for item in batch for word in item.spellings
        ]
        longest = max(map(len, letters))
        rows = [[*word, *[PADDING] * (longest - len(word))] for word in letters]
        work = self._by_word + self._by_byte * longest
        count_work(tokens=len(rows), flops=2.0 * passes * work * len(rows))
        device = self.network.head.weight.device
        ids_R = torch.tensor([id for item in batch for id in item.ids], device=device)
        bytes_RW = torch.tensor(rows, device=device)
        return self.network(ids_R, bytes_RW, lengths), lengths


def _size(item: Words) -> int:
    return len(item.ids)
