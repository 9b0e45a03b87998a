"""A Siamese attention-augmented recurrent convolutional network, trained from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textune.approaches._word_network import WordNetwork
from textune.approaches.base import PAIR_KINDS

if TYPE_CHECKING:
    from textune.models.text_net import Reader


@dataclass(frozen=True, kw_only=True)
class SiameseArcnn(WordNetwork):
    """Recurrence, convolution and attention over both texts with the same weights (S-ARCNN).

    As the S-ARCNN of Han et al. (2022): an LSTM in either direction; a local module of
    convolution, pooling and attention over its states; a global module, its last states; both
    vectors side by side. Sizes, the pooling (the largest of two neighbours), the form of the
    attention and the dense layer on [u, v, |u - v|, u * v] are our choices.
    """

    kinds: ClassVar[frozenset[str]] = PAIR_KINDS

    units: int = 100
    """Width of the LSTM in each direction."""
    width: int = 3
    """Neighbouring states that a filter reads."""
    filters: int = 100
    """Filters of the local module."""

    def reader(self) -> Reader:
        """The LSTM with its local and its global module."""
        from textune.models.text_net import AttentiveRecurrence

        return AttentiveRecurrence(
            self.dimension, units=self.units, width=self.width, filters=self.filters
        )
