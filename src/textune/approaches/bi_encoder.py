"""A small encoder that reads the texts of a pair apart, fine-tuned whole."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from textune.approaches._encoder import EncoderPredictor, TrainedEncoder, classes_of
from textune.approaches.base import PAIR_KINDS
from textune.data.examples import Example
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class BiEncoder(TrainedEncoder):
    """A small encoder that reads the texts of a pair apart, fine-tuned whole.

    A linear layer reads [u, v, |u - v|, u * v] of the means u and v of their tokens: a Siamese
    network with the classification objective of Sentence-BERT (Reimers and Gurevych, 2019,
    section 3). The cross-encoder, which reads both texts as one, is ``encoder``.
    """

    kinds: ClassVar[frozenset[str]] = PAIR_KINDS

    def predictor(
        self, task: TaskSpec, encoder: Any, tokenizer: Any, context: int
    ) -> EncoderPredictor:
        """With a linear layer on what describes the pair."""
        from textune.engine.encoder import BiEncoderEngine
        from textune.models import encoder_head

        network = encoder_head.BiEncoder(encoder, len(classes_of(task)))
        engine = BiEncoderEngine(network, tokenizer, context=context, by_word=False)
        return BiEncoderPredictor(task, engine)


class BiEncoderPredictor(EncoderPredictor):
    """Each text has the encoder's context for itself."""

    def cut(self, example: Example) -> Example:
        """Each text as far as it fits."""
        cut_side = super().cut
        return replace(example, texts=tuple(cut_side(s).texts[0] for s in _sides(example)))

    def length(self, example: Example) -> int:
        """Tokens of the longer text."""
        return max(self.engine.length(side.texts) for side in _sides(example))


def _sides(example: Example) -> list[Example]:
    return [replace(example, texts=(text,)) for text in example.texts]
