"""A Siamese convolutional network over pairs of texts, trained from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textune.approaches._word_network import WordNetwork
from textune.approaches.base import PAIR_KINDS

if TYPE_CHECKING:
    from textune.models.text_net import Reader


@dataclass(frozen=True, kw_only=True)
class SiameseCnn(WordNetwork):
    """A convolutional network that reads both texts with the same weights (S-CNN).

    As the S-CNN of Han et al. (2022). Their layers are not published in detail; these are our
    choices: word embeddings learnt with the rest, filters of several widths with the largest
    value of each over the text (Kim 2014), and a dense layer on [u, v, |u - v|, u * v].
    """

    kinds: ClassVar[frozenset[str]] = PAIR_KINDS

    widths: tuple[int, ...] = (1, 2, 3)
    """Neighbouring words that a filter reads."""
    filters: int = 100
    """Filters of each width."""

    def reader(self) -> Reader:
        """Convolutions and the largest value of each over the text."""
        from textune.models.text_net import Convolutions

        return Convolutions(self.dimension, widths=self.widths, filters=self.filters)
