"""A text encoder with a new linear layer: on means of tokens, or on the first token of each word.

The encoder may be in bf16. Whatever is made of its last states is fp32, and so are the logits.
What the encoder reads, and how, is not covered here (``engine.encoder_rows``).

Legend: B texts, T tokens of all of them, D width, C outputs, R texts or words that are read.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from textune.models.crf import LinearChain
from textune.models.text_net import described

DROPOUT = 0.1
"""Share of the features dropped before the new layer, in training."""


class EncoderWithHead(nn.Module):
    """Logits of a text or a pair that is read as one, or of its words."""

    features_per_width: int = 1
    """What the new layer reads has so many times the encoder's width."""

    def __init__(
        self, encoder: Any, num_outputs: int, *, chain: LinearChain | None = None
    ) -> None:
        """``chain`` judges tags of words together; None: each by itself."""
        super().__init__()
        self.encoder = encoder.requires_grad_(True)
        self.dropout = nn.Dropout(DROPOUT)
        width = self.features_per_width * encoder.config.hidden_size
        self.head = nn.Linear(width, num_outputs)
        self.chain = chain

    def forward(
        self, states_TD: torch.Tensor, lengths: Sequence[int], read_R: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits (R, C): of the tokens at these places, or of the mean of every text.

        ``states_TD`` are the encoder's last ones, texts of these ``lengths`` one behind another.
        """
        states_TD = states_TD.float()
        read = means(states_TD, lengths) if read_R is None else states_TD[read_R]
        logits: torch.Tensor = self.head(self.dropout(read))
        return logits


class BiEncoder(EncoderWithHead):
    """Logits of a pair whose texts are read apart.

    Of their unit vectors u and v, means of tokens at length one, the new layer reads
    [u, v, |u - v|, u * v]: the classification objective of Sentence-BERT (Reimers and Gurevych,
    2019, section 3), with the product that their section 6 tries, too.
    """

    features_per_width = 4

    def forward(
        self, states_TD: torch.Tensor, lengths: Sequence[int], read_R: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits (R, C) of R pairs: all first texts, then all second ones are the states'."""
        assert read_R is None, "pairs have no words that are read"
        logits: torch.Tensor = self.head(self.dropout(self.described(states_TD, lengths)))
        return logits

    def described(self, states_TD: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
        """What the new layer reads (R, 4 D)."""
        mean_BD = means(states_TD.float(), lengths)
        return described(*nn.functional.normalize(mean_BD, dim=-1).chunk(2))


def means(states_TD: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Each text's mean (B, D) over its tokens."""
    shares_BT = torch.zeros(len(lengths), sum(lengths))
    start = 0
    for row, length in zip(shares_BT, lengths, strict=True):
        row[start : start + length] = 1 / length
        start += length
    return shares_BT.to(states_TD) @ states_TD
