"""WordEngine: texts as numbers of words through a small network, and what that costs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from textune.cost.meter import count_work
from textune.models.text_net import TextNet
from textune.models.words import PADDING

BATCH = 256
"""Examples predicted at once."""


@dataclass(frozen=True)
class Encoded:
    """An example as the network reads it."""

    texts: tuple[tuple[int, ...], ...]
    """Numbers of the words of each of its texts."""
    targets: tuple[int, ...] = ()
    """Its class; of classes that do not exclude each other 0 or 1 for each."""

    @property
    def length(self) -> int:
        """Words of the longer text."""
        return max(map(len, self.texts))


class WordEngine:
    """Runs examples; ``exclusive`` says whether one class excludes the others."""

    def __init__(self, network: TextNet, *, exclusive: bool) -> None:
        self.network = network
        self.exclusive = exclusive
        self._by_word = sum(p.numel() for p in network.reader.parameters())
        self._by_example = sum(p.numel() for p in network.head.parameters())

    def loss(self, batch: Sequence[Encoded]) -> torch.Tensor:
        """Mean cross-entropy of a batch, with gradient.

        Where classes do not exclude each other it is the mean over all of them, in or out.
        """
        logits_BC = self._logits(batch, passes=3)
        targets = torch.tensor([item.targets for item in batch], device=logits_BC.device)
        if self.exclusive:
            return functional.cross_entropy(logits_BC, targets.squeeze(1))
        return functional.binary_cross_entropy_with_logits(logits_BC, targets.to(logits_BC))

    @torch.inference_mode()
    def scores(self, items: Sequence[Encoded]) -> np.ndarray:
        """Probabilities (N, C); batches hold examples of like length, whatever their order."""
        order = sorted(range(len(items)), key=lambda i: (items[i].length, items[i].texts))
        scores_NC = np.zeros((len(items), self.network.num_outputs))
        for start in range(0, len(order), BATCH):
            chosen = order[start : start + BATCH]
            logits_BC = self._logits([items[i] for i in chosen], passes=1).double()
            scores_BC = logits_BC.softmax(-1) if self.exclusive else logits_BC.sigmoid()
            scores_NC[chosen] = scores_BC.cpu().numpy()
        return scores_NC

    def flops(self, batch: Sequence[Encoded], *, passes: int) -> float:
        """Operations on a batch, padding included; 3 passes where it trains."""
        by_word = self._by_word * _places(batch)
        return 2.0 * passes * (by_word + self._by_example * len(batch))

    def _logits(self, batch: Sequence[Encoded], *, passes: int) -> torch.Tensor:
        longest = max(item.length for item in batch)
        rows = [
            [[*text, *[PADDING] * (longest - len(text))] for text in side]
            for side in zip(*(item.texts for item in batch), strict=True)
        ]
        count_work(tokens=_places(batch), flops=self.flops(batch, passes=passes))
        device = self.network.embedding.weight.device
        logits: torch.Tensor = self.network(torch.tensor(rows, device=device))
        return logits


def _places(batch: Sequence[Encoded]) -> int:
    """Places of words in a padded batch."""
    return len(batch) * len(batch[0].texts) * max(item.length for item in batch)
