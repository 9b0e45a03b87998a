"""What stands for a model's tokenizer in a plan before the model was fetched: a count, no more."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

LETTERS = 4
"""Characters of a token: what English text has on average in current vocabularies."""
FIRST, NUMBERS = 3, 1000
"""Tokens get one of so many numbers, from this one on; letters that are alike the same."""


@dataclass
class RoughEncoding:
    """Tokens of a text or a pair with their words, named as in the library ``tokenizers``."""

    ids: list[int] = field(default_factory=list)
    type_ids: list[int] = field(default_factory=list)
    word_ids: list[int | None] = field(default_factory=list)
    sequence_ids: list[int | None] = field(default_factory=list)
    offsets: list[tuple[int, int]] = field(default_factory=list)

    def add(self, id: int, side: int, word: int | None, span: tuple[int, int] = (0, 0)) -> None:
        """A token; without a word it is a mark that encoders put around texts."""
        self.ids.append(id)
        self.type_ids.append(side)
        self.word_ids.append(word)
        self.sequence_ids.append(None if word is None else side)
        self.offsets.append(span)


class RoughBatch(dict[str, list[list[int]]]):
    """``input_ids`` of texts, and for encoders the ``encodings`` of all rows."""

    def __init__(self, rows: list[tuple[str, ...]]) -> None:
        super().__init__(input_ids=[[id for id, _ in _tokens(row[0])] for row in rows])
        self.rows = rows

    @property
    def encodings(self) -> list[RoughEncoding]:
        """With marks around each text."""
        return [_encoded(row) for row in self.rows]


class RoughTokenizer:
    """Four characters a token; called as a tokenizer of transformers is."""

    chat_template = None
    eos_token_id = 2
    pad_token_id = 0
    model_input_names = ("input_ids", "token_type_ids", "attention_mask")

    def __call__(self, *sides: list[str] | str, **_: object) -> dict[str, list[int]] | RoughBatch:
        """Of one text or pair its tokens; of lists of them those of each."""
        rows = [(side,) if isinstance(side, str) else side for side in sides]
        batch = RoughBatch(list(zip(*rows, strict=True)))
        if isinstance(sides[0], str):
            return {"input_ids": batch.encodings[0].ids}
        return batch


def _tokens(text: str) -> Iterator[tuple[int, int]]:
    """Number and place of each token."""
    for start in range(0, len(text), LETTERS):
        part = text[start : start + LETTERS]
        yield FIRST + zlib.crc32(part.encode()) % NUMBERS, start


def _encoded(row: tuple[str, ...]) -> RoughEncoding:
    found = RoughEncoding()
    found.add(1, 0, None)
    for side, text in enumerate(row):
        for id, start in _tokens(text):
            word = text.count(" ", 0, start + 1)
            found.add(id, side, word, (start, start + LETTERS))
        found.add(2, side, None)
    return found
