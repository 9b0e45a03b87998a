"""What a training step keeps for its way back, from shapes: before a step is run, and in no time.

The guess is generous. ``measured`` corrects it by what a step of the model at hand keeps.
What is not covered: weights, gradients and the optimiser's numbers (``cost.demand``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from transformers import PreTrainedModel

from textune.engine.forecast import Size, packed_size
from textune.engine.packing import Item

LINEAR = 16
"""Numbers that a layer keeps for a token, for each of its hidden and inner width. On small models,
those of attention included, it was 5 with LoRA on lean layers, 6 on layers as they are, and 12
with VeRA, the most of our methods."""
WEIGHTS = 4
"""Copies of attention weights that a layer keeps: 1 with lean layers."""
LOGITS, LOGITS_ALONE = 2, 3
"""Copies of logits: they and their gradient, in the model's format; three in fp32 where each
example is run alone, with torch's loss."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that steps of a model keep."""

    layers: int
    hidden: int
    inner: int
    heads: int
    vocabulary: int
    itemsize: int
    runs: int | None
    """How often each example is run, alone; None: a batch is one row, and shares its prefix."""
    share: float = 1.0
    """What layers keep by what is guessed."""

    @classmethod
    def of(cls, model: PreTrainedModel, *, runs: int | None = None) -> "Footprint":
        """Of a model with whatever adapters."""
        config: Any = model.config.get_text_config()
        return cls(
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            inner=getattr(config, "intermediate_size", None) or 4 * config.hidden_size,
            heads=config.num_attention_heads,
            vocabulary=config.vocab_size,
            itemsize=model.dtype.itemsize,
            runs=runs,
        )

    def tokens(self, batch: Sequence[Item]) -> int:
        """Tokens that a step on a batch computes."""
        return self._size(batch).tokens

    def kept(self, batch: Sequence[Item]) -> float:
        """Bytes that a step on a batch keeps, and one layer's more for gradients on the way."""
        layers = self._layers(batch)
        return layers + layers / self.layers + self._logits(batch)

    def kept_between(self, batch: Sequence[Item]) -> float:
        """The same where only what goes into a layer is kept, and each layer is run again."""
        between = self.layers * self.hidden * self.itemsize * self.tokens(batch)
        return between + 2 * self._layers(batch) / self.layers + self._logits(batch)

    def measured(self, batch: Sequence[Item], kept: float) -> "Footprint":
        """Corrected by the bytes that a step on a batch kept."""
        of_layers = max(0.0, kept - self._logits(batch))
        return replace(self, share=self.share * of_layers / self._layers(batch))

    def _layers(self, batch: Sequence[Item]) -> float:
        size = self._size(batch)
        numbers: float = LINEAR * (self.hidden + self.inner) * size.tokens
        numbers += WEIGHTS * self.heads * size.pairs
        return self.share * self.layers * self.itemsize * numbers

    def _logits(self, batch: Sequence[Item]) -> float:
        read = sum(1 + len(item.answer) for item in batch)
        each = LOGITS * self.itemsize if self.runs is None else 4 * LOGITS_ALONE
        return float(each * self.vocabulary * read)

    def _size(self, batch: Sequence[Item]) -> Size:
        whole = [item.prompt + item.answer for item in batch]
        if self.runs is None:
            return packed_size(whole, added=0, before=0, rows=1)
        alone = [len(tokens) for tokens in whole] * self.runs
        return Size(sum(alone), 0, float(sum(length**2 for length in alone)))
