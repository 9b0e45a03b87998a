"""OverviewSection: a part of the report over all parts of a study; the folder is the registry."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from textune.core.registry import Plugin, Registry
from textune.report import digits
from textune.report.blocks import Block, Column, Link, Row, Scored, Value
from textune.report.compare import Comparison, Entry
from textune.report.doubts import Doubts, doubts_of
from textune.report.look import Palette
from textune.report.recommend import Recommendation
from textune.report.sections.base import Context


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a study that has run."""

    name: str
    comparison: Comparison
    recommendation: Recommendation

    @property
    def metric(self) -> str:
        """The main metric's name for people."""
        return digits.metric_title(self.comparison.metric)

    @property
    def decimals(self) -> int:
        """Digits after the point of a score in percent."""
        return Context(self.comparison, self.recommendation, Palette(())).decimals

    @cached_property
    def doubts(self) -> Doubts:
        """What may have seen the test data, and why."""
        return doubts_of(self.comparison.loaded.contenders)

    def entry(self, label: str) -> Entry | None:
        """The entry of that label, where the part has one that is complete."""
        return next((e for e in self.comparison.entries if e.label == label), None)

    def scored(self, entry: Entry) -> Scored:
        """Its score with the bootstrap interval, in bold where it is tied with the best."""
        interval, tied = entry.over_examples, self.comparison.tied
        return Scored(entry.score, interval.low, interval.high, entry.label in tied)


@dataclass(frozen=True, eq=False)
class Overview:
    """Everything that a section of the overview may show."""

    name: str
    parts: tuple[Part, ...]
    missing: tuple[str, ...]
    """Parts that have not run."""

    @cached_property
    def approaches(self) -> dict[str, str]:
        """Label of each entry of any part, in the order of the study file -> its approach."""
        return {
            contender.label: contender.approach
            for part in self.parts
            for contender in part.comparison.loaded.contenders
            if part.entry(contender.label) is not None
        }

    @cached_property
    def palette(self) -> Palette:
        """One colour for each approach, the same for all parts."""
        names = (a for part in self.parts for a in part.comparison.loaded.run.approaches)
        return Palette(tuple(dict.fromkeys(names)))

    def doubts_in(self, row: Row) -> Doubts:
        """What may have seen the test data of the part that a row begins with, or of any part."""
        first = row.cells[0].text if isinstance(row.cells[0], Link) else row.cells[0]
        for part in self.parts:
            if part.name == first:
                return part.doubts
        found: dict[str, list[str]] = {}
        for part in self.parts:
            for label, doubt in part.doubts.items():
                found.setdefault(label, []).append(f"in {part.name}, as {doubt}")
        return {label: "; ".join(each) for label, each in found.items()}

    def rows(self, value: Callable[[Part, Entry], Value]) -> tuple[Row, ...]:
        """A row for each label, with a value for each part that has it."""
        return tuple(
            Row(
                (label, *(value(p, e) if (e := p.entry(label)) else None for p in self.parts)),
                colour=self.palette.colour(approach),
            )
            for label, approach in self.approaches.items()
        )

    def score_columns(self) -> tuple[Column, ...]:
        """A column of scores for each part."""
        return tuple(
            Column(f"{part.name}, {part.metric}", "score", part.decimals) for part in self.parts
        )


class OverviewSection(Plugin, ABC):
    """One part of the report over all parts of a study."""

    title: ClassVar[str]
    order: ClassVar[int]
    """Sections stand in rising order."""

    @abstractmethod
    def blocks(self, overview: Overview) -> list[Block]:
        """What the section shows; nothing at all when it has nothing to say."""


REGISTRY = Registry("textune.report.overview", OverviewSection, noun="section of the overview")
