"""A text encoder with a new linear layer: on means of tokens, or on the first token of each word.

The encoder may be in bf16. Whatever is made of its last states is fp32, and so are the logits.

Legend: B texts, L tokens, D width, C outputs, R rows that are read.
"""

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
        self, inputs: dict[str, torch.Tensor], read_RN: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits (R, C): of the tokens at (text, place) pairs (R, 2), or of every text's mean."""
        hidden_BLD = self._hidden(inputs)
        if read_RN is None:
            features_RD = mean_of_tokens(hidden_BLD, inputs["attention_mask"])
        else:
            features_RD = hidden_BLD[read_RN[:, 0], read_RN[:, 1]]
        logits: torch.Tensor = self.head(self.dropout(features_RD))
        return logits

    def _hidden(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """The encoder's last states (B, L, D), in fp32 from here on."""
        hidden_BLD: torch.Tensor = self.encoder(**inputs).last_hidden_state
        return hidden_BLD.float()


class BiEncoder(EncoderWithHead):
    """Logits of a pair whose texts are read apart.

    Of their unit vectors u and v, means of tokens at length one, the new layer reads
    [u, v, |u - v|, u * v]: the classification objective of Sentence-BERT (Reimers and Gurevych,
    2019, section 3), with the product that their section 6 tries, too.
    """

    features_per_width = 4

    def forward(
        self, inputs: dict[str, torch.Tensor], read_RN: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits (R, C) of R pairs: all first texts, then all second ones are the inputs."""
        assert read_RN is None, "pairs have no words that are read"
        logits: torch.Tensor = self.head(self.dropout(self.described(inputs)))
        return logits

    def described(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        """What the new layer reads (R, 4 D)."""
        mean_BD = mean_of_tokens(self._hidden(inputs), inputs["attention_mask"])
        return described(*nn.functional.normalize(mean_BD, dim=-1).chunk(2))


def mean_of_tokens(hidden_BLD: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
    """Each text's mean (B, D) over its own tokens."""
    mask_BL1 = mask_BL.unsqueeze(-1)
    return (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)
