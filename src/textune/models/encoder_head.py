"""A text encoder with a new linear layer: on the mean of all tokens, or on chosen ones."""

from typing import Any

import torch
from torch import nn

DROPOUT = 0.1
"""Share of the features dropped before the new layer, in training."""


class EncoderWithHead(nn.Module):
    """Legend: B texts, L tokens, D width, C outputs, R rows that are read."""

    def __init__(self, encoder: Any, num_outputs: int) -> None:
        super().__init__()
        self.encoder = encoder.requires_grad_(True)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(encoder.config.hidden_size, num_outputs)

    def forward(
        self, inputs: dict[str, torch.Tensor], read_RN: torch.Tensor | None
    ) -> torch.Tensor:
        """Logits (R, C): of the tokens at (text, place) pairs (R, 2), or of every text's mean."""
        hidden_BLD = self.encoder(**inputs).last_hidden_state
        if read_RN is None:
            mask_BL1 = inputs["attention_mask"].unsqueeze(-1)
            features_RD = (hidden_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)
        else:
            features_RD = hidden_BLD[read_RN[:, 0], read_RN[:, 1]]
        logits: torch.Tensor = self.head(self.dropout(features_RD))
        return logits
