"""A Siamese recurrent network over pairs of texts, trained from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textune.approaches._word_network import WordNetwork
from textune.approaches.base import PAIR_KINDS

if TYPE_CHECKING:
    from textune.models.text_net import Reader


@dataclass(frozen=True, kw_only=True)
class SiameseLstm(WordNetwork):
    """An LSTM in either direction that reads both texts with the same weights.

    The Siamese LSTM that Han et al. (2022) compare with. Their layers are not published in
    detail; these are our choices: word embeddings learnt with the rest, the last states of both
    directions, and a dense layer on [u, v, |u - v|, u * v].
    """

    kinds: ClassVar[frozenset[str]] = PAIR_KINDS

    units: int = 100
    """Width of the LSTM in each direction."""

    def reader(self) -> Reader:
        """The last states of an LSTM in either direction."""
        from textune.models.text_net import Recurrence

        return Recurrence(self.dimension, units=self.units)
