"""Free text of a model -> the answer that it names, or none; nothing is guessed.

What is not covered: meaning. ``not a method`` names the label ``method``.
"""

import re
from functools import lru_cache

from textune.data.examples import Answer, Example
from textune.tasks.base import TaskSpec


def read_answer(text: str, task: TaskSpec, example: Example) -> Answer | None:
    """The answer that a freely written text gives to an example; None where it cannot be read.

    A label is named by its answer word, as whole words, in any case, with any punctuation and
    other words around it. A text that names no label or several different ones cannot be read.
    Lists of entities or labels are read by the task's kind, which skips lines of other forms.
    """
    if task.kind.is_written:
        return task.kind.read(text, example, task.words)
    by_word = {_plain(word): label for label, word in task.words.items()}
    named = {
        by_word[_plain(found)] for found in _pattern(tuple(task.words.values())).findall(text)
    }
    return named.pop() if len(named) == 1 else None


@lru_cache(maxsize=32)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words, the longest that fits, not as a part of a word or number.

    ``not duplicate`` does not also name ``duplicate``, nor ``2.5`` the number ``2``.
    """
    longest_first = sorted(words, key=lambda word: (-len(word.strip()), word))
    each = "|".join(r"\s+".join(map(re.escape, word.split())) for word in longest_first)
    return re.compile(rf"(?<![\w-])(?<!\d[.,])(?:{each})(?![\w-]|[.,]\d)", re.IGNORECASE)


def _plain(word: str) -> str:
    """A word without what a text may change of it: case and runs of spaces."""
    return " ".join(word.split()).lower()
