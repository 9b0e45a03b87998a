"""Texts to unit vectors with a sentence encoder."""

from collections.abc import Sequence

import numpy as np
import torch

from textune.cost.meter import count_work
from textune.engine.encoder_rows import EncoderRows
from textune.models.encoder_head import means
from textune.models.load import Loaded


@torch.inference_mode()
def embed(loaded: Loaded, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
    """Mean-pooled, length-normalised embeddings (N, D), as the model's own recipe says.

    Texts beyond the model's context are cut at their end.
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors_ND = np.zeros((len(texts), loaded.model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        unit_BD = unit_vectors(loaded, [texts[i] for i in chosen], passes=1)
        vectors_ND[chosen] = unit_BD.float().cpu().numpy()
    return vectors_ND


def unit_vectors(loaded: Loaded, texts: Sequence[str], *, passes: int) -> torch.Tensor:
    """The same of one batch (B, D), with gradient where the model has any; 3 passes then."""
    found = loaded.tokenizer(list(texts), truncation=True, max_length=loaded.context)
    read = [(tuple(ids), (0,) * len(ids)) for ids in found["input_ids"]]
    lengths = [len(ids) for ids, _ in read]
    count_work(tokens=sum(lengths), flops=2.0 * passes * _dense_params(loaded) * sum(lengths))
    states_TD = EncoderRows(loaded.model, loaded.tokenizer).states(read)
    return torch.nn.functional.normalize(means(states_TD, lengths), dim=-1)


def _dense_params(loaded: Loaded) -> int:
    """Parameters that multiply every token (the embedding table only looks up)."""
    table = sum(p.numel() for p in loaded.model.get_input_embeddings().parameters())
    return loaded.num_params - table
