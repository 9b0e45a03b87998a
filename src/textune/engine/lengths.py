"""How much a model has written, for the notes of a record."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from textune.data.examples import Example


@dataclass(frozen=True)
class Lengths:
    """Tokens that were written for each example of the first call, its windows together.

    In a study that is the test part; a server's notes do not grow with what it is asked.
    """

    by_id: dict[str, int] = field(default_factory=dict)

    def add(self, examples: Sequence[Example], written: Sequence[Sequence[int]]) -> None:
        """Note what was written now, unless something is known already."""
        if self.by_id:
            return
        for example, tokens in zip(examples, written, strict=True):
            self.by_id[example.id] = self.by_id.get(example.id, 0) + len(tokens)

    def notes(self) -> dict[str, float]:
        """The mean over examples; nothing before any was answered."""
        counts = self.by_id.values()
        return {"mean_tokens_written": sum(counts) / len(counts)} if counts else {}
