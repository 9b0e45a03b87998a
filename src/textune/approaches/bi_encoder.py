"""A small encoder that reads the texts of a pair apart, fine-tuned whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from textune.approaches._encoder import EncoderPredictor, TrainedEncoder, classes_of
from textune.approaches.base import PAIR_KINDS, Context, Parts
from textune.data.examples import Example
from textune.models.linear import fit_for, import_solvers
from textune.tasks.base import TaskSpec

if TYPE_CHECKING:
    from textune.cost.demand import Demand
    from textune.engine.encoder import BiEncoderEngine
    from textune.models.architecture import Drafts


@dataclass(frozen=True, kw_only=True)
class BiEncoder(TrainedEncoder):
    """A small encoder that reads the texts of a pair apart, fine-tuned whole.

    A linear layer reads [u, v, |u - v|, u * v] of the texts' unit vectors: a Siamese network with
    the classification objective of Sentence-BERT (Reimers and Gurevych, 2019, section 3). The
    layer begins as the logistic regression of ``nearest``, so that training sets out from there
    and does not distort what the encoder knows (Kumar et al., 2022, LP-FT). The cross-encoder,
    which reads both texts as one, is ``encoder``.
    """

    kinds: ClassVar[frozenset[str]] = PAIR_KINDS

    def warm_up(self, context: Context) -> None:
        """Have the encoder's files at hand, and the solver."""
        super().warm_up(context)
        import_solvers()

    def forecast(self, task: TaskSpec, parts: Parts, drafts: Drafts) -> Demand:
        """As all encoders; the training part is read once more before training."""
        demand = super().forecast(task, parts, drafts)
        again = super().forecast(task, replace(parts, test=parts.train), drafts)
        return replace(
            demand,
            fit_flops=demand.fit_flops + again.predict_flops,
            fit_traffic=demand.fit_traffic + again.predict_traffic,
        )

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

    engine: BiEncoderEngine

    def prepare(self, train: Sequence[Example], *, seed: int) -> None:
        """Let the new layer begin as the logistic regression on what it reads."""
        import torch

        described_NF = self.engine.described(self.encoded(train))
        linear = fit_for(self.task, described_NF, train, strength="auto", seed=seed)
        head = self.engine.model.head
        with torch.no_grad():
            head.weight.copy_(torch.from_numpy(linear.weights))
            head.bias.copy_(torch.from_numpy(linear.bias))

    def cut(self, example: Example) -> Example:
        """Each text as far as it fits."""
        cut_side = super().cut
        return replace(example, texts=tuple(cut_side(s).texts[0] for s in _sides(example)))

    def length(self, example: Example) -> int:
        """Tokens of the longer text."""
        return max(self.engine.length(side.texts) for side in _sides(example))


def _sides(example: Example) -> list[Example]:
    return [replace(example, texts=(text,)) for text in example.texts]
