"""A small encoder, fine-tuned whole with a new layer: of the text, the pair, or every word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from textune.approaches._encoder import EncoderPredictor, TrainedEncoder, classes_of
from textune.approaches.base import LABEL_KINDS
from textune.core.config import added
from textune.core.errors import ImpossibleError
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Encoder(TrainedEncoder):
    """A small encoder, fine-tuned whole, with a linear layer on its mean or on every word.

    It reads both texts of a pair as one, so that every word of one sees every word of the other:
    a cross-encoder. The one that reads them apart is ``bi_encoder``. Entities are read off tags of
    words (B, I or O), words being what the encoder's tokenizer splits at spaces and punctuation.
    """

    kinds: ClassVar[frozenset[str]] = LABEL_KINDS | {"extract"}

    crf: bool = added(False)
    """Whether the tags of a text are trained and chosen together, by a linear-chain CRF, instead
    of each by itself; for entities only."""

    def check(self, task: TaskSpec) -> None:
        """As every approach; and a CRF needs tags."""
        super().check(task)
        if self.crf and not task.kind.has_entities:
            raise ImpossibleError(
                f"a CRF needs tags of words, and kind {task.kind.name} has none ({task.name})",
                hint="leave crf out",
            )

    def label(self) -> str:
        """Its name, and that of the CRF."""
        return f"{self.name}, CRF" if self.crf else self.name

    def predictor(
        self, task: TaskSpec, encoder: Any, tokenizer: Any, context: int
    ) -> EncoderPredictor:
        """With a linear layer, and where it is asked for the chain over what that says."""
        from textune.engine.encoder import EncoderEngine
        from textune.models.crf import LinearChain
        from textune.models.encoder_head import EncoderWithHead

        kind, classes = task.kind, classes_of(task)
        chain = LinearChain(classes) if self.crf else None
        engine = EncoderEngine(
            EncoderWithHead(encoder, len(classes), chain=chain),
            tokenizer,
            context=context,
            by_word=kind.has_entities,
            exclusive=kind.is_exclusive,
        )
        return EncoderPredictor(task, engine)
