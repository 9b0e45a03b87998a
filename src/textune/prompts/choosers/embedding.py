"""The nearest training examples by meaning, as a sentence encoder sees it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from textune.data.examples import Example
from textune.prompts.choosers.base import Chooser, Embed, Matcher, nearest
from textune.tasks.base import TaskSpec

DECIMALS = 5
"""Of cosines: what is less depends on who else is embedded in the same batch."""


@dataclass(frozen=True, kw_only=True)
class Embedding(Chooser):
    """For each example the training examples nearest to it by the cosine of sentence embeddings.

    Liu et al., 2022 (What Makes Good In-Context Examples for GPT-3?), section 3. The nearest
    stands last, next to the input.
    """

    title: ClassVar[str] = "nearest (embedding)"
    draws: ClassVar[bool] = False
    per_example: ClassVar[bool] = True

    model: str = "all-minilm-l6-v2"
    """Sentence encoder: a library name, a Hub id or a folder."""

    @property
    def encoder(self) -> str:
        """The sentence encoder."""
        return self.model

    def matcher(
        self,
        kept: Sequence[Example],
        task: TaskSpec,
        shots: int,
        *,
        embed: Embed | None = None,
    ) -> Matcher:
        """The nearest ones; the texts of a pair are embedded as one."""
        assert embed is not None, "an encoder that nobody loaded"
        vectors_KD = embed([task.kind.joined_text(example) for example in kept])

        def scores(examples: Sequence[Example]) -> np.ndarray:
            cosines_NK = embed([task.kind.joined_text(e) for e in examples]) @ vectors_KD.T
            return cosines_NK.round(DECIMALS)

        return nearest(kept, shots, scores)
