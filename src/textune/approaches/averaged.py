"""The mean of word and n-gram embeddings, trained from nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from textune.approaches._word_network import BRIEF, WordNetwork
from textune.models.words import words_of
from textune.training.settings import TrainingSpec

if TYPE_CHECKING:
    from textune.models.text_net import Reader


@dataclass(frozen=True, kw_only=True)
class Averaged(WordNetwork):
    """The mean of the embeddings of words and n-grams, and a linear layer: as fastText.

    Joulin et al. (2017): n-grams get the embedding of a bucket each, by their hash. Here rare
    words do too. A pair is described by [u, v, |u - v|, u * v] instead of one mean.
    """

    lr: ClassVar[float] = 3e-3

    hidden: int = 0
    buckets: int = 2**14
    """N-grams and unknown words are spread over so many embeddings."""
    ngrams: int = 2
    """Longest n-gram of words."""
    training: TrainingSpec = field(default_factory=lambda: replace(BRIEF, epochs=5))

    def reader(self) -> Reader:
        """The mean."""
        from textune.models.text_net import Mean

        return Mean(self.dimension)

    def terms(self, text: str) -> list[str]:
        """Its words and n-grams."""
        words = words_of(text)
        found = list(words)
        for size in range(2, self.ngrams + 1):
            found += [" ".join(words[i : i + size]) for i in range(len(words) - size + 1)]
        return found
