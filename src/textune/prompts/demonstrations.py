"""Which training examples a prompt shows."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from textune.core.errors import DataError
from textune.core.seeds import generator
from textune.data.examples import Example
from textune.tasks.base import TaskSpec


def balanced(train: Sequence[Example], task: TaskSpec, shots: int, seed: int) -> list[Example]:
    """``shots`` examples of the training part, labels as even as the number allows, shuffled.

    Which labels get one more is drawn too, so that no label is preferred over seeds. Where answers
    list entities, all have some; where they list labels, any are drawn.

    Raises:
        DataError: the training part has too few examples of a label.
    """
    draw = generator(seed, "demonstrations")
    labels = task.kind.demonstrated(list(task.labels))
    if not labels:
        return _any_of(train, shots, draw)
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
                f"{shots} demonstrations need {wanted} training examples of {label!r}, there are "
                f"{len(have)}",
                hint="ask for fewer shots, or give more training examples",
            )
        chosen += [have[i] for i in draw.choice(len(have), size=wanted, replace=False)]
    return [chosen[i] for i in draw.permutation(len(chosen))]


def _any_of(train: Sequence[Example], shots: int, draw: np.random.Generator) -> list[Example]:
    if len(train) < shots:
        raise DataError(
            f"{shots} demonstrations need as many training examples, there are {len(train)}",
            hint="ask for fewer shots, or give more training examples",
        )
    return [train[i] for i in draw.choice(len(train), size=shots, replace=False)]
