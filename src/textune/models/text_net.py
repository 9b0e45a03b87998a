"""Small networks over words, trained from nothing: a text or a pair becomes scores of labels.

Legend: B examples, S texts of each, N = S * B texts, L words of the longest text, D numbers of a
word, F numbers of a text, C outputs. No number depends on the padding behind a text.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from textune.models.words import PADDING

SPREAD = 0.1
"""Standard deviation of the word embeddings before training."""
WINDOW = 2
"""Neighbouring words whose features are pooled before attention weighs them."""


class Reader(nn.Module):
    """Turns embedded words (N, L, D) into one vector (N, F) for each text.

    The mask (N, L) is 1 at words and 0 at padding; every text has a word.
    """

    num_features: int
    """F."""


class TextNet(nn.Module):
    """Embeddings, one reader for every text of an example, and layers that tell labels apart.

    A single text is described by its vector u, a pair by [u, v, |u - v|, u * v]. ``hidden`` is the
    width of a dense layer between description and scores; 0 leaves it out.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        num_words: int,
        dimension: int,
        num_texts: int,
        hidden: int,
        dropout: float,
        num_outputs: int,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_words, dimension, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=SPREAD)
        nn.init.zeros_(self.embedding.weight[PADDING])
        self.reader = reader
        self.dropout = nn.Dropout(dropout)
        width = reader.num_features * (4 if num_texts == 2 else 1)
        dense = [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)] if hidden else []
        self.head = nn.Sequential(*dense, nn.Linear(hidden or width, num_outputs))
        self.num_outputs = num_outputs

    def forward(self, ids_SBL: torch.Tensor) -> torch.Tensor:
        """Logits (B, C)."""
        ids_NL = ids_SBL.flatten(0, 1)
        words_NLD = self.dropout(self.embedding(ids_NL))
        texts_NF = self.reader(words_NLD, (ids_NL != PADDING).to(words_NLD))
        logits: torch.Tensor = self.head(self.dropout(described(*texts_NF.chunk(len(ids_SBL)))))
        return logits


def described(u_BF: torch.Tensor, v_BF: torch.Tensor | None = None) -> torch.Tensor:
    """What the last layers read: u itself, or [u, v, |u - v|, u * v]."""
    if v_BF is None:
        return u_BF
    return torch.cat([u_BF, v_BF, (u_BF - v_BF).abs(), u_BF * v_BF], dim=-1)


class Mean(Reader):
    """The mean of the words, as in fastText (Joulin et al. 2017, section 2)."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.num_features = dimension

    def forward(self, words_NLD: torch.Tensor, mask_NL: torch.Tensor) -> torch.Tensor:
        """The texts (N, D)."""
        return (words_NLD * mask_NL.unsqueeze(-1)).sum(1) / mask_NL.sum(1, keepdim=True)


class Convolutions(Reader):
    """Filters over so many neighbouring words each, the largest value of each over the text.

    Kim (2014), section 2. Where a filter begins at one of the last words, it reads zeros behind
    them.
    """

    def __init__(self, dimension: int, *, widths: Sequence[int], filters: int) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.each = nn.ModuleList(nn.Conv1d(dimension, filters, width) for width in widths)
        self.num_features = filters * len(widths)

    def forward(self, words_NLD: torch.Tensor, mask_NL: torch.Tensor) -> torch.Tensor:
        """The texts (N, filters * widths)."""
        mask_N1L = mask_NL.unsqueeze(1)
        words_NDL = words_NLD.transpose(1, 2) * mask_N1L
        found = [
            (convolved(layer, width, words_NDL) * mask_N1L).amax(-1)
            for layer, width in zip(self.each, self.widths, strict=True)
        ]
        return torch.cat(found, dim=-1)


def convolved(layer: nn.Module, width: int, words_NDL: torch.Tensor) -> torch.Tensor:
    """What filters of so many words find from each word on (N, F, L), never below 0."""
    found: torch.Tensor = layer(nn.functional.pad(words_NDL, (0, width - 1)))
    return found.relu()


class Recurrence(Reader):
    """The last states of an LSTM in either direction."""

    def __init__(self, dimension: int, *, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, units, batch_first=True, bidirectional=True)
        self.num_features = 2 * units

    def forward(self, words_NLD: torch.Tensor, mask_NL: torch.Tensor) -> torch.Tensor:
        """The texts (N, 2 * units)."""
        return self.states(words_NLD, mask_NL)[1]

    def states(
        self, words_NLD: torch.Tensor, mask_NL: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """States at all words (N, L, 2 * units), zeros behind them; the last ones side by side."""
        lengths_N = mask_NL.sum(1).long().cpu()
        packed = pack_padded_sequence(words_NLD, lengths_N, batch_first=True, enforce_sorted=False)
        states, (last_2NU, _) = self.lstm(packed)
        states_NLU, _ = pad_packed_sequence(
            states, batch_first=True, total_length=mask_NL.shape[1]
        )
        return states_NLU, torch.cat([last_2NU[0], last_2NU[1]], dim=-1)


class AttentiveRecurrence(Reader):
    """An LSTM in either direction, read locally and globally; both vectors side by side.

    Han et al. (2022): the local module is convolution, pooling and attention over the states, the
    global one the last states. Pooling is the largest value of each ``WINDOW`` places, attention
    a softmax of v . tanh(W c) over what was pooled (c).
    """

    def __init__(self, dimension: int, *, units: int, width: int, filters: int) -> None:
        super().__init__()
        self.recurrence = Recurrence(dimension, units=units)
        self.width = width
        self.convolution = nn.Conv1d(2 * units, filters, width)
        self.attention = nn.Sequential(
            nn.Linear(filters, filters), nn.Tanh(), nn.Linear(filters, 1, bias=False)
        )
        self.num_features = 2 * units + filters

    def forward(self, words_NLD: torch.Tensor, mask_NL: torch.Tensor) -> torch.Tensor:
        """The texts (N, 2 * units + filters)."""
        states_NLU, last_NU = self.recurrence.states(words_NLD, mask_NL)
        mask_N1L = mask_NL.unsqueeze(1)
        states_NUL = states_NLU.transpose(1, 2)
        found_NFL = convolved(self.convolution, self.width, states_NUL) * mask_N1L
        pooled_NPF = _pooled(found_NFL).transpose(1, 2)
        hidden_NP1 = (_pooled(mask_N1L) == 0).transpose(1, 2)
        weights_NP1 = self.attention(pooled_NPF).masked_fill(hidden_NP1, -torch.inf).softmax(1)
        return torch.cat([(weights_NP1 * pooled_NPF).sum(1), last_NU], dim=-1)


def _pooled(values_NFL: torch.Tensor) -> torch.Tensor:
    """The largest value of each ``WINDOW`` places; the last window may be smaller."""
    return nn.functional.max_pool1d(values_NFL, WINDOW, ceil_mode=True)
