"""A run folder in, a report folder out."""

import json
from dataclasses import dataclass
from pathlib import Path

from textune.core import files
from textune.core.config import plain
from textune.core.errors import StoreError
from textune.report import figures, render, tables
from textune.report.blocks import Chapter, Page
from textune.report.compare import Comparison, compare
from textune.report.doubts import marked
from textune.report.look import Palette
from textune.report.overview.base import REGISTRY as OVERVIEW_REGISTRY
from textune.report.overview.base import Overview, Part
from textune.report.recommend import NO_LIMITS, Limits, Recommendation, recommend
from textune.report.sections.base import REGISTRY, Context
from textune.results.parts import load_parts


@dataclass(frozen=True)
class ReportPaths:
    """Where the parts of a report lie."""

    folder: Path
    page: Path
    markdown: Path
    recommendation: Path
    tables: tuple[Path, ...]
    """CSV and LaTeX files."""
    figures: tuple[Path, ...]
    """SVG and PNG files."""


def build_report(
    root: Path, *, limits: Limits = NO_LIMITS, out: Path | None = None
) -> ReportPaths:
    """Write the report of a run folder, into its ``report`` folder unless said otherwise.

    Raises:
        StoreError: this is no run folder, a file in it is damaged, or ``out`` cannot be written.
    """
    comparison = compare(root)
    recommendation = recommend(comparison, limits)
    return write(page_of(comparison, recommendation), recommendation, out or root / "report")


def page_of(comparison: Comparison, recommendation: Recommendation) -> Page:
    """All sections that have something to show, in their order."""
    run = comparison.loaded.run
    context = Context(comparison, recommendation, Palette(tuple(run.approaches)))
    sections = sorted((section() for section in REGISTRY.all()), key=lambda s: s.order)
    chapters = [(s.name, s.title, tuple(s.blocks(context))) for s in sections]
    page = Page(
        title=run.name,
        subtitle=f"{run.task.title or run.task.name}, compared by textune {run.textune}",
        chapters=tuple(Chapter(*chapter) for chapter in chapters if chapter[2]),
    )
    return marked(page, lambda _: context.doubts)


@dataclass(frozen=True)
class OverviewPaths:
    """Where the reports of a study with parts lie."""

    overview: ReportPaths
    parts: dict[str, ReportPaths]
    """Of each part that has run."""


def build_overview(
    root: Path, *, limits: Limits = NO_LIMITS
) -> tuple[OverviewPaths, dict[str, Recommendation]]:
    """Write the report of every part that has run, and the report over all of them.

    Gives where they are, and what each part recommends.

    Raises:
        StoreError: nothing has run, a file is damaged, or a folder cannot be written.
    """
    spec = load_parts(root)
    ran = [name for name in spec.parts if (root / name / "study.yaml").is_file()]
    if not ran:
        raise StoreError(f"{root}: no part has run yet", hint="run the study first")
    parts, paths = [], {}
    for name in ran:
        comparison = compare(root / name)
        recommendation = recommend(comparison, limits)
        page = page_of(comparison, recommendation)
        paths[name] = write(page, recommendation, root / name / "report")
        parts.append(Part(name, comparison, recommendation))
    missing = tuple(name for name in spec.parts if name not in ran)
    recommended = {part.name: part.recommendation for part in parts}
    page = overview_page(Overview(spec.name, tuple(parts), missing))
    return OverviewPaths(write(page, recommended, root / "report"), paths), recommended


def overview_page(overview: Overview) -> Page:
    """All sections of the overview that have something to show, in their order."""
    found = (section() for section in OVERVIEW_REGISTRY.all())
    sections = sorted(found, key=lambda section: section.order)
    chapters = [(s.name, s.title, tuple(s.blocks(overview))) for s in sections]
    run = overview.parts[0].comparison.loaded.run
    number = "one part" if len(overview.parts) == 1 else f"{len(overview.parts)} parts"
    page = Page(
        title=overview.name,
        subtitle=f"{number}, compared by textune {run.textune}",
        chapters=tuple(Chapter(*chapter) for chapter in chapters if chapter[2]),
    )
    return marked(page, overview.doubts_in)


def write(
    page: Page, recommendation: Recommendation | dict[str, Recommendation], folder: Path
) -> ReportPaths:
    """Write a page in every format.

    Raises:
        StoreError: the folder cannot be written.
    """
    drawings = {figure.name: figures.svg(figure.spec) for figure in page.figures()}
    texts = {
        "index.html": render.html(page, drawings),
        "report.md": render.markdown(page),
        "recommendation.json": json.dumps(plain(recommendation), indent=1, ensure_ascii=False),
    }
    table_texts: dict[str, str] = {}
    for table in page.tables():
        table_texts[f"tables/{table.name}.csv"] = tables.as_csv(table)
        table_texts[f"tables/{table.name}.tex"] = tables.as_latex(table)
    drawn = {f"figures/{name}.svg": text.encode() for name, text in drawings.items()}
    drawn |= {f"figures/{name}.png": figures.png(text) for name, text in drawings.items()}
    for name, text in (texts | table_texts).items():
        files.write_text(folder / name, text)
    for name, content in drawn.items():
        with files.replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    return ReportPaths(
        folder,
        folder / "index.html",
        folder / "report.md",
        folder / "recommendation.json",
        tuple(folder / name for name in table_texts),
        tuple(folder / name for name in drawn),
    )
