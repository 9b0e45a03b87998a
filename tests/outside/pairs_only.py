"""An approach of another package that cannot do tasks of one text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from textune.approaches.base import Approach, Context, Family, Predictor
from textune.approaches.majority import Majority
from textune.data.examples import Example
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class PairsOnly(Approach):
    """The majority approach, for pairs alone."""

    family: ClassVar[Family] = "baseline"
    kinds: ClassVar[frozenset[str]] = frozenset({"pair"})

    def fit(
        self,
        task: TaskSpec,
        train: Sequence[Example],
        valid: Sequence[Example],
        *,
        seed: int,
        context: Context,
    ) -> Predictor:
        """Count labels."""
        return Majority().fit(task, train, valid, seed=seed, context=context)

    def load(self, task: TaskSpec, folder: Path, *, context: Context) -> Predictor:
        """As the majority approach."""
        return Majority().load(task, folder, context=context)
