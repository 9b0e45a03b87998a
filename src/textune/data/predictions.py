"""What an approach answers for a set of examples."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """What an approach says about N examples, in their order.

    ``answers[i]`` is None when the output could not be read (invalid), never a guess.
    ``scores`` is (N, C) with rows summing to one, columns in the task's label order, or None.
    ``raw`` is the model's own text, where it wrote one.
    """

    answers: list[str | None]
    scores: np.ndarray | None = None
    raw: list[str] | None = None

    def __len__(self) -> int:
        return len(self.answers)
