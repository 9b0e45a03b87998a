"""The same demonstrations for everybody, drawn at random, labels as even as the number allows."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textune.core.errors import DataError
from textune.core.seeds import generator
from textune.data.examples import Example
from textune.prompts.choosers.base import Chooser, Embed, drawn
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Balanced(Chooser):
    """The same for everybody, drawn at random, labels as even as the number allows.

    Which labels get one more is drawn too, so that no label is preferred over seeds. Where answers
    list entities, all have some; where they list labels, any are drawn.
    """

    title: ClassVar[str] = ""

    def kept(
        self,
        train: Sequence[Example],
        task: TaskSpec,
        shots: int,
        *,
        seed: int,
        embed: Embed | None = None,
    ) -> list[Example]:
        """``shots`` examples, shuffled.

        Raises:
            DataError: the training part has too few examples of a label.
        """
        labels = task.kind.demonstrated(list(task.labels))
        if not labels:
            return drawn(train, shots, seed)
        draw = generator(seed, "demonstrations")
        by_label: dict[str, list[Example]] = defaultdict(list)
        for example in train:
            by_label[task.kind.stratum(str(example.answer))].append(example)
        order = [labels[i] for i in draw.permutation(len(labels))]
        chosen: list[Example] = []
        for place, label in enumerate(order):
            wanted = shots // len(labels) + (place < shots % len(labels))
            have = by_label[label]
            if len(have) < wanted:
                raise DataError(
                    f"{shots} demonstrations need {wanted} training examples of {label!r}, there "
                    f"are {len(have)}",
                    hint="ask for fewer shots, or give more training examples",
                )
            chosen += [have[i] for i in draw.choice(len(have), size=wanted, replace=False)]
        return [chosen[i] for i in draw.permutation(len(chosen))]
