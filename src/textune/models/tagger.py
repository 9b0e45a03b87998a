"""A recurrent network that tags words, trained from nothing.

Legend: R words of all texts, one text after the other; W bytes of the longest word; D numbers of
a word; C tags.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from textune.models.crf import LinearChain
from textune.models.text_net import Convolutions
from textune.models.words import PADDING

NUM_BYTES = 257
"""All bytes, and padding."""
SPELLING = 30
"""Numbers in the embedding of a byte, and filters over them (Ma and Hovy, 2016, section 3.1)."""
WIDTH = 3
"""Neighbouring bytes that a filter reads (the same)."""


class Tagger(nn.Module):
    """Word embeddings and spelling, an LSTM in either direction, and a chain over scores of tags.

    Lample et al. (2016), section 2, with the convolutions over the letters of a word of Ma and
    Hovy (2016), section 2.1, here over its bytes, so that every script has all of its letters.
    """

    def __init__(
        self, tags: Sequence[str], *, num_words: int, dimension: int, units: int, dropout: float
    ) -> None:
        super().__init__()
        self.words = nn.Embedding(num_words, dimension, padding_idx=PADDING)
        self.bytes = nn.Embedding(NUM_BYTES, SPELLING, padding_idx=PADDING)
        for table in (self.words, self.bytes):
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
            nn.init.zeros_(table.weight[PADDING])
        self.spelling = Convolutions(SPELLING, widths=(WIDTH,), filters=SPELLING)
        self.lstm = nn.LSTM(dimension + SPELLING, units, bidirectional=True)
        self.head = nn.Linear(2 * units, len(tags))
        self.dropout = nn.Dropout(dropout)
        self.chain = LinearChain(tags)

    def forward(
        self, ids_R: torch.Tensor, bytes_RW: torch.Tensor, lengths: Sequence[int]
    ) -> torch.Tensor:
        """Scores (R, C) of the tags of texts with so many words each, at least one."""
        mask_RW = (bytes_RW != PADDING).to(self.head.weight)
        spelt_RF = self.spelling(self.dropout(self.bytes(bytes_RW)), mask_RW)
        words_RD = self.dropout(torch.cat([self.words(ids_R), spelt_RF], dim=-1))
        texts = list(torch.split(words_RD, list(lengths)))
        states, _ = self.lstm(pack_sequence(texts, enforce_sorted=False))
        scores_RC: torch.Tensor = self.head(self.dropout(torch.cat(unpack_sequence(states))))
        return scores_RC
