"""Section: one part of a report; the folder is the registry."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from textune.core.registry import Plugin, Registry
from textune.report import digits
from textune.report.blocks import Block, Column, Row, Value
from textune.report.compare import Comparison, Entry
from textune.report.doubts import DAGGER, Doubts, daggered, doubts_of
from textune.report.look import Mark, Palette
from textune.report.recommend import Recommendation
from textune.results.run import MAY_HAVE_SEEN

MANY_EXAMPLES = 10_000
"""From here on a second digit of a score in percent carries information."""
MANY_CELLS = 3
"""Fewer folds and seeds have t intervals across the whole axis, which a chart leaves out."""


@dataclass(frozen=True, eq=False)
class Context:
    """Everything that a section may show."""

    comparison: Comparison
    recommendation: Recommendation
    palette: Palette

    @property
    def decimals(self) -> int:
        """Digits after the point of a score in percent."""
        return 2 if len(self.comparison.loaded.tested) >= MANY_EXAMPLES else 1

    @cached_property
    def doubts(self) -> Doubts:
        """What may have seen the test data, and why."""
        return doubts_of(self.comparison.loaded.contenders)

    @property
    def dagger(self) -> str:
        """A sentence for charts about the mark in them, if there is one."""
        return f" {DAGGER}: {MAY_HAVE_SEEN}." if self.doubts else ""

    @property
    def metric(self) -> str:
        """The main metric's name for people."""
        return digits.metric_title(self.comparison.metric)

    def score_column(self, title: str, help: str = "") -> Column:
        """A column of shares of one, shown in percent."""
        return Column(title, "score", self.decimals, help)

    def cut(self, shown: int) -> str:
        """A sentence that says so when only the best ones are shown, else nothing."""
        entries = len(self.comparison.entries)
        return f" The best {shown} of {entries} are shown." if shown < entries else ""

    def row(self, entry: Entry, *cells: Value) -> Row:
        """A row about an entry: marked where it is tied with the best, with its colour."""
        return Row(
            cells,
            marked=entry.label in self.comparison.tied,
            colour=self.palette.colour(entry.contender.approach),
        )

    def mark(self, entry: Entry, *, filled: bool, x: float | None = None) -> Mark:
        """An entry in a chart."""
        examples, cells = entry.over_examples, entry.over_cells
        is_shown = cells.low is not None and len(entry.contender.records) >= MANY_CELLS
        return Mark(
            label=entry.label,
            shown=daggered(entry.label, self.doubts),
            approach=entry.contender.approach,
            score=entry.score * 100,
            low=(entry.score if examples.low is None else examples.low) * 100,
            high=(entry.score if examples.high is None else examples.high) * 100,
            filled=filled,
            x=x,
            fold_low=cells.low * 100 if is_shown and cells.low is not None else None,
            fold_high=cells.high * 100 if is_shown and cells.high is not None else None,
        )


class Section(Plugin, ABC):
    """One part of a report."""

    title: ClassVar[str]
    order: ClassVar[int]
    """Sections stand in rising order."""

    @abstractmethod
    def blocks(self, context: Context) -> list[Block]:
        """What the section shows; nothing at all when it has nothing to say."""


REGISTRY = Registry("textune.report.sections", Section, noun="report section")
