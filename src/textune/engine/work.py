"""How many floating-point operations a pass takes, from shapes alone.

Counted are matrix products (two operations for each multiply-add): linear layers on every token,
attention products, and the vocabulary projection where it is read. Element-wise work is not
counted; it is a few per cent.
"""

from dataclasses import dataclass

from transformers import PreTrainedModel

from textune.models.load import count_params


@dataclass(frozen=True)
class WorkModel:
    """What of a model decides the number of operations."""

    linear: int
    """Weights that multiply every token, adapters included."""
    trainable: int
    """Those of them that train."""
    head: int
    """Weights of the vocabulary projection."""
    attention: int
    """Layers x query heads x head size."""

    def forward(self, *, tokens: int, read: int, pairs: int) -> float:
        """Operations of a forward pass; ``pairs`` counts (query, key) pairs of one head."""
        return 2.0 * self.linear * tokens + 2.0 * self.head * read + 4.0 * self.attention * pairs

    def training(self, *, tokens: int, read: int, pairs: int) -> float:
        """Forward, the backward pass through activations, and the gradients of what trains."""
        forward = self.forward(tokens=tokens, read=read, pairs=pairs)
        return 2 * forward + 2.0 * self.trainable * tokens


def work_model(model: PreTrainedModel) -> WorkModel:
    """The counts of a causal model with whatever adapters it carries."""
    config = model.config.get_text_config()
    head = count_params(model.get_output_embeddings().weight)
    table = model.get_input_embeddings().weight
    matrices = [p for p in model.parameters() if p.dim() >= 2 or hasattr(p, "quant_state")]
    linear = sum(count_params(p) for p in matrices if p is not table)
    if model.get_output_embeddings().weight is not table:
        linear -= head
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return WorkModel(
        linear=linear,
        trainable=sum(count_params(p) for p in matrices if p.requires_grad and p is not table),
        head=head,
        attention=config.num_hidden_layers * heads * width,
    )
