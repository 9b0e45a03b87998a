"""Pairs of labelled texts, and the loss by which an encoder learns which of them are alike."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from textune.core.errors import DataError
from textune.core.seeds import generator
from textune.engine.embedding import unit_vectors
from textune.models.load import Loaded


@dataclass(frozen=True)
class Pair:
    """Two texts, and whether they have one label."""

    left: str
    right: str
    alike: bool


def pairs_of(texts: Sequence[str], labels: Sequence[str], count: int, *, seed: int) -> list[Pair]:
    """So many pairs: every label as often as another, alike and not in turn.

    The left texts of a label go through all that have it; the right ones are drawn. A label with
    one text has no pairs that are alike, and more of the others.

    Raises:
        DataError: there is one label only.
    """
    draw = generator(seed, "pairs")
    places: dict[str, list[int]] = defaultdict(list)
    for place in draw.permutation(len(texts)).tolist():
        places[labels[place]].append(place)
    if len(places) < 2:
        raise DataError(
            f"the training part has only the label {labels[0]!r}",
            hint="give examples of at least two labels",
        )
    names, found = sorted(places), []
    for number in range(count):
        turn, is_second = divmod(number, 2)
        own = places[names[turn % len(names)]]
        left = own[turn // len(names) % len(own)]
        alike = not is_second and len(own) > 1
        others = [p for p in own if p != left] if alike else _without(places, labels[left])
        right = others[draw.integers(len(others))]
        found.append(Pair(texts[left], texts[right], alike))
    return found


def contrast_loss(loaded: Loaded, batch: Sequence[Pair]) -> torch.Tensor:
    """Mean squared difference between cosine and what it should be: 1 of those alike, else 0.

    The regression objective of Sentence-BERT (Reimers and Gurevych, 2019, section 3).
    """
    texts = [pair.left for pair in batch] + [pair.right for pair in batch]
    u_BD, v_BD = unit_vectors(loaded, texts, passes=3).chunk(2)
    alike_B = torch.tensor([float(pair.alike) for pair in batch], device=u_BD.device)
    return functional.mse_loss((u_BD * v_BD).sum(-1), alike_B)


def _without(places: dict[str, list[int]], label: str) -> list[int]:
    return [place for other, own in places.items() if other != label for place in own]
