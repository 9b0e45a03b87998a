"""Trained keys and values before every prompt, made with ``peft``, as the engine takes them."""

from typing import Any

import torch

from textune.core.errors import ImpossibleError
from textune.engine.layout import PrefixCache


def sized(config: Any, model: Any) -> Any:
    """A ``PrefixTuningConfig`` with the sizes of the model's own keys and values.

    ``peft`` takes the size of a head from the model's width; many models give it apart.

    Raises:
        ImpossibleError: the states would fall out of the model's sliding window.
    """
    sizes = model.config.get_text_config()
    window = getattr(sizes, "sliding_window", None)
    if window is not None and config.num_virtual_tokens >= window:
        raise ImpossibleError(
            f"{config.num_virtual_tokens} virtual tokens do not fit the window of {window} tokens",
            hint="ask for fewer tokens",
        )
    heads = sizes.num_attention_heads
    config.token_dim = heads * (getattr(sizes, "head_dim", None) or sizes.hidden_size // heads)
    return config


def states_of(adapted: Any) -> PrefixCache:
    """Keys and values (heads, V, head size) of every layer, with their gradient."""
    layers = adapted.get_prompt(batch_size=1).layers
    return PrefixCache({i: (layer.keys[0], layer.values[0]) for i, layer in enumerate(layers)})


def draw_states(adapted: Any, model: Any, tokens: int) -> None:
    """Let trained states start as those of random tokens of the vocabulary."""
    words = torch.randint(model.config.get_text_config().vocab_size, (1, tokens))
    with torch.no_grad():
        cache = model(input_ids=words.to(model.device), use_cache=True).past_key_values
    layers = [torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers]
    states = torch.stack(layers)  # (layers, 2, heads, V, head size)
    flat = states.permute(3, 0, 1, 2, 4).reshape(tokens, -1)
    adapted.prompt_encoder[adapted.active_adapter].load_prompt_embeddings(flat.float())
