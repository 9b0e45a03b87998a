"""Which attention of transformers' registry a model runs, for a while."""

import contextlib
from collections.abc import Iterator

from transformers import PreTrainedModel


@contextlib.contextmanager
def attending(model: PreTrainedModel, name: str) -> Iterator[None]:
    """Run a model with the attention of that name, then put back what it had."""
    before = attention_of(model)
    if before == name:
        yield
        return
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def attention_of(model: PreTrainedModel) -> str:
    """The name of what it runs."""
    return str(model.config._attn_implementation)
