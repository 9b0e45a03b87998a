"""The same demonstrations for everybody, chosen so that they cover the training part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from textune.core.seeds import derive, generator
from textune.data.duplicates import key_of
from textune.data.examples import Example
from textune.prompts.choosers.base import Chooser, Embed, drawn
from textune.tasks.base import TaskSpec


@dataclass(frozen=True, kw_only=True)
class Diverse(Chooser):
    """The same for everybody, one from the middle of each cluster of the training part.

    As many clusters as demonstrations, by k-means on sentence embeddings; of each the example
    nearest to its centre (Zhang et al., 2023, Automatic Chain of Thought Prompting, section 4).
    Where answers list entities, only examples that have some.
    """

    title: ClassVar[str] = "diverse"

    model: str = "all-minilm-l6-v2"
    """Sentence encoder: a library name, a Hub id or a folder."""

    @property
    def encoder(self) -> str:
        """The sentence encoder."""
        return self.model

    def kept(
        self,
        train: Sequence[Example],
        task: TaskSpec,
        shots: int,
        *,
        seed: int,
        embed: Embed | None = None,
    ) -> list[Example]:
        """``shots`` examples with different texts, shuffled.

        Raises:
            DataError: there are fewer different ones.
        """
        assert embed is not None, "an encoder that nobody loaded"
        strata = set(task.kind.demonstrated(list(task.labels)))
        different = {
            key_of(example): example
            for example in reversed(train)
            if not strata or task.kind.stratum(str(example.answer)) in strata
        }
        pool = list(different.values())[::-1]
        if len(pool) <= shots:
            return drawn(pool, shots, seed)
        vectors_ND = embed([task.kind.joined_text(example) for example in pool])
        chosen = central(vectors_ND, shots, seed=seed)
        order = generator(seed, "demonstrations").permutation(shots)
        return [pool[chosen[i]] for i in order]


def central(vectors_ND: np.ndarray, clusters: int, *, seed: int) -> list[int]:
    """The place of the vector nearest to the centre of each k-means cluster, all different."""
    from sklearn.cluster import KMeans

    state = derive(seed, "clusters") % 2**32
    kmeans = KMeans(clusters, n_init=10, random_state=state).fit(vectors_ND)
    chosen: list[int] = []
    for distances_N in kmeans.transform(vectors_ND).T:
        order = np.argsort(distances_N, kind="stable")
        chosen.append(next(int(place) for place in order if place not in chosen))
    return chosen
