"""Texts to unit vectors with a sentence encoder."""

from collections.abc import Sequence

import numpy as np
import torch

from textune.cost.meter import count_work
from textune.models.encoder_head import mean_of_tokens
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
    batch = loaded.tokenizer(
        list(texts),
        padding=True,
        truncation=True,
        max_length=loaded.context,
        return_tensors="pt",
    ).to(loaded.model.device)
    hidden_BLD = loaded.model(**batch).last_hidden_state
    tokens = int(batch["attention_mask"].sum())
    count_work(tokens=tokens, flops=2.0 * passes * _dense_params(loaded) * tokens)
    mean_BD = mean_of_tokens(hidden_BLD, batch["attention_mask"])
    return torch.nn.functional.normalize(mean_BD, dim=-1)


def _dense_params(loaded: Loaded) -> int:
    """Parameters that multiply every token (the embedding table only looks up)."""
    table = sum(p.numel() for p in loaded.model.get_input_embeddings().parameters())
    return loaded.num_params - table
