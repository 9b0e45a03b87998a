"""Which attention of transformers' registry a model runs, for a while."""

import contextlib
from collections.abc import Iterator

from transformers import PreTrainedModel


@contextlib.contextmanager
def attending(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Run a model with the attention of that name, then put back what it had.

    Layers read the name from the model's configuration, so setting it there is enough;
    ``set_attn_implementation`` visits all modules, in each step and twice.
    """
    before = attention_of(model)
    model.config._attn_implementation = name
    try:
        yield
    finally:
        model.config._attn_implementation = before


def attention_of(model: PreTrainedModel) -> str:
    """The name of what it runs."""
    return str(model.config._attn_implementation)
