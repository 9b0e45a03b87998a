"""Texts through an encoder: in one packed row, or padded where the encoder cannot read one.

Encoders read both ways, so nothing before a text can be shared; a packed row saves the padding,
and all but attention runs once for a whole batch.

Legend: N texts, T their tokens, one text behind another, D width.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from textune.engine import attention
from textune.engine.packing import pack_whole, rounded
from textune.engine.padding import divided
from textune.models.attending import attending

Text = tuple[tuple[int, ...], tuple[int, ...]]
"""What an encoder reads as one: tokens, and which text of a pair each is of."""
FROM_0 = frozenset({"bert", "distilbert", "electra"})
"""Architectures whose attention transformers lets one replace, and whose positions are learned."""
FROM_PADDING = frozenset({"camembert", "roberta", "xlm-roberta"})
"""The same, with positions that are counted from the one after padding's own."""


class EncoderRows:
    """How an encoder reads texts."""

    def __init__(self, encoder: PreTrainedModel, tokenizer: Any) -> None:
        """The tokenizer knows what fills rows, and whether texts of a pair are marked."""
        self.encoder = encoder
        self.padding = int(tokenizer.pad_token_id)
        self.has_types = "token_type_ids" in tokenizer.model_input_names
        kind = encoder.config.model_type
        self.is_packed = kind in FROM_0 | FROM_PADDING
        self._first = encoder.config.pad_token_id + 1 if kind in FROM_PADDING else 0

    def num_cells(self, lengths: Sequence[int]) -> int:
        """Tokens that are computed for texts of these lengths, with what fills rows up."""
        if self.is_packed:
            return rounded(sum(lengths))
        parts = [[lengths[place] for place in places] for places in divided(lengths)]
        return sum(len(part) * max(part) for part in parts)

    def states(self, texts: Sequence[Text]) -> torch.Tensor:
        """The encoder's last states (T, D) of all texts."""
        lengths = [len(ids) for ids, _ in texts]
        read, parts = self._padded, divided(lengths)
        if self.is_packed:
            read, parts = self._packed, [sorted(range(len(texts)), key=lengths.__getitem__)]
        found: list[torch.Tensor] = [torch.empty(0)] * len(texts)
        for places in parts:
            states_TD = read([texts[place] for place in places])
            own = torch.split(states_TD, [lengths[place] for place in places])
            for place, states in zip(places, own, strict=True):
                found[place] = states
        return torch.cat(found)

    def _packed(self, texts: Sequence[Text]) -> torch.Tensor:
        """Of texts that stand by length, one behind another."""
        device = self.encoder.device
        row = pack_whole([ids for ids, _ in texts]).to(device)
        filling = row.layout.filling
        types = [kind for _, types in texts for kind in types] + [0] * filling
        inputs: dict[str, Any] = {
            "input_ids": row.tokens[None],
            "position_ids": row.positions[None] + self._first,
        }
        if self.has_types:
            inputs["token_type_ids"] = torch.tensor([types], device=device)
        with attending(self.encoder, attention.NAME):
            states_1TD = self.encoder(**inputs, layout=row.layout).last_hidden_state
        states_TD: torch.Tensor = states_1TD[0, : len(row.tokens) - filling]
        return states_TD

    def _padded(self, texts: Sequence[Text]) -> torch.Tensor:
        """Of texts of like length, one behind another."""
        longest = max(len(ids) for ids, _ in texts)
        inputs = {
            "input_ids": _filled([ids for ids, _ in texts], longest, self.padding),
            "attention_mask": _filled([(1,) * len(ids) for ids, _ in texts], longest, 0),
        }
        if self.has_types:
            inputs["token_type_ids"] = _filled([types for _, types in texts], longest, 0)
        inputs = {name: tensor.to(self.encoder.device) for name, tensor in inputs.items()}
        states_NLD: torch.Tensor = self.encoder(**inputs).last_hidden_state
        rows = [row[: len(ids)] for row, (ids, _) in zip(states_NLD, texts, strict=True)]
        return torch.cat(rows)


def _filled(rows: Sequence[Sequence[int]], length: int, filling: int) -> torch.Tensor:
    return torch.tensor([[*row, *[filling] * (length - len(row))] for row in rows])
