"""Texts longer than a model can read, cut so that what the question is about stays."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from textune.core.errors import DataError
from textune.data.examples import Example

Length = Callable[[Example], int]
"""Tokens of an example as a model reads it."""


def cut_to(example: Example, room: int, length: Length, marks: Sequence[str] = ()) -> Example:
    """The example with its longest text shortened, again and again, until it has ``room`` tokens.

    Raises:
        DataError: nothing is left to cut.
    """
    texts = list(example.texts)
    size = length(example)
    while size > room:
        longest = max(range(len(texts)), key=lambda i: len(texts[i]))
        keep = int(len(texts[longest]) * min(0.95, room / size)) - 1
        if keep <= 0:
            raise DataError(
                f"example {example.id}: the instruction alone has more than the "
                f"{room} tokens that the model can read",
                hint="fewer demonstrations, shorter definitions, or another model",
            )
        texts[longest] = around(texts[longest], keep, marks)
        example = replace(example, texts=tuple(texts))
        size = length(example)
    return example


def around(text: str, size: int, marks: Sequence[str]) -> str:
    """``size`` characters of a text: those around its marks, or the first where it has none.

    From the first mark to the end of the last one, with as much on either side; the beginning of
    that where even this is longer.
    """
    begins = [text.find(mark) for mark in marks if mark in text]
    if not begins:
        return text[:size]
    first = min(begins)
    last = max(text.rfind(mark) + len(mark) for mark in marks if mark in text)
    start = max(0, min(first - max(0, size - (last - first)) // 2, len(text) - size))
    return text[start : start + size]
