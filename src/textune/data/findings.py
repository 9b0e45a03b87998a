"""Finding: one thing to know about the data before spending anything, and what it is shown by.

What is looked for is in ``checks``.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from textune.data.duplicates import Key, key_of
from textune.data.examples import Answer, Example, Examples

MAX_EXCERPTS = 5
EXCERPT_CHARACTERS = 80

Level = Literal["info", "warning", "problem"]
LEVELS: tuple[Level, ...] = ("problem", "warning", "info")
"""The worst first."""

LabelsIn = Callable[[Answer], Sequence[str]]
"""The labels that an answer names."""


@dataclass(frozen=True)
class Excerpt:
    """Examples that show a finding: one, or several that belong together."""

    ids: tuple[str, ...]
    text: str
    """Start of the first one's text; the texts of a pair with `` | `` between them."""
    answers: tuple[Answer, ...] = ()
    """Gold answers, in the order of ``ids``, where known."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing to know about the data."""

    level: Level
    """``problem``: scores would be wrong or a study would fail; ``warning``: think about it."""
    name: str
    """Which check found it, for programs."""
    message: str
    """One line for people."""
    count: int
    """How many examples, texts, labels or groups (the message says which)."""
    examples: tuple[Excerpt, ...] = ()
    """Up to five."""


@dataclass(frozen=True)
class Part:
    """A part of the data with the normalised texts of its examples."""

    name: str
    examples: Examples
    keys: list[Key]

    @classmethod
    def of(cls, name: str, examples: Examples) -> "Part":
        """The part of that name."""
        return cls(name, examples, [key_of(example) for example in examples])

    def by_key(self) -> dict[Key, list[Example]]:
        """Key -> its examples, in order."""
        found: defaultdict[Key, list[Example]] = defaultdict(list)
        for key, example in self.rows():
            found[key].append(example)
        return dict(found)

    def rows(self) -> Iterator[tuple[Key, Example]]:
        """Key and example, in order."""
        return zip(self.keys, self.examples, strict=True)


def by_level(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Problems first, then warnings, then infos."""
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))


def count_labels(examples: Examples, labels_in: LabelsIn) -> Counter[str]:
    """How often answers name each label."""
    return Counter(label for answer in examples.answers for label in labels_in(answer))


def counted(number: int, noun: str) -> str:
    """``1 example``, ``1,588 examples``."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def percent(share: float, decimals: int = 1) -> str:
    """``62.5 %``."""
    return f"{100 * share:.{decimals}f} %"


def shown(
    level: Level, name: str, message: str, count: int, groups: Sequence[Sequence[Example]]
) -> Finding:
    """A finding with the first of the groups of examples that it is about."""
    excerpts = tuple(_excerpt(group) for group in groups[:MAX_EXCERPTS])
    return Finding(level=level, name=name, message=message, count=count, examples=excerpts)


def _excerpt(group: Sequence[Example]) -> Excerpt:
    """The examples of a group, cut to as many as a finding shows."""
    kept = group[:MAX_EXCERPTS]
    text = " ".join(" | ".join(kept[0].texts).split())
    if len(text) > EXCERPT_CHARACTERS:
        text = text[: EXCERPT_CHARACTERS - 3] + "..."
    answers = tuple(e.answer for e in kept if e.answer is not None)
    return Excerpt(tuple(e.id for e in kept), text, answers)
