"""A page as one HTML file that needs no network, and as Markdown.

Not covered: tables as CSV and LaTeX (``tables.py``), charts as images (``figures.py``).
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from textune.report import figures
from textune.report.blocks import (
    Block,
    Chapter,
    Column,
    Details,
    Figure,
    Link,
    Marked,
    Page,
    Points,
    Range,
    Scored,
    Table,
    Text,
    Value,
)
from textune.report.digits import WORDS, shown
from textune.report.doubts import DAGGER, footnote

if TYPE_CHECKING:
    from markupsafe import Markup


def html(page: Page, drawings: Mapping[str, str]) -> str:
    """The page as one file; ``drawings`` maps the name of each figure to its SVG."""
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup

    def drawing(figure: Figure) -> Markup:
        # The only text that is not escaped: made by our renderer, which escapes its labels.
        svg = figures.svg_in_page(drawings[figure.name], figure.name, figure.caption)
        return Markup(svg)

    environment = Environment(
        loader=PackageLoader("textune.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        kind=lambda block: type(block).__name__,
        look=look,
        in_page=in_page,
        footnote=footnote,
        sort_key=sort_key,
        drawing=drawing,
    )
    return environment.get_template("page.html.j2").render(page=page)


def look(column: Column) -> str:
    """How a column is set: ``label``, ``text`` or ``number``."""
    return column.unit if column.unit in WORDS else "number"


def in_page(value: Value, column: Column) -> "str | Markup":
    """A value as it stands in the page: escaped by the template, or here."""
    from markupsafe import Markup

    text = shown(value, column)
    match value:
        case Link(folder=folder):
            return Markup('<a href="{}/index.html">{}</a>').format(quote(folder), text)
        case Scored(stands_out=True):
            return Markup("<strong>{}</strong>").format(text)
    return text


def sort_key(value: Value) -> str:
    """What rows are sorted by in the browser; empty sorts last."""
    match value:
        case None:
            return ""
        case Range(low=number) | Scored(score=number):
            return repr(number)
        case Link(text=text) | Marked(plain=text):
            return text
    return str(value)


def markdown(page: Page) -> str:
    """The page as Markdown; figures are linked from ``figures/``."""
    parts = [f"# {_plain(page.title)}", _plain(page.subtitle)]
    for chapter in page.chapters:
        parts += _chapter(chapter)
    return "\n\n".join(parts) + "\n"


def _chapter(chapter: Chapter) -> list[str]:
    return [f"## {_plain(chapter.title)}", *(_markdown(block) for block in chapter.blocks)]


def _markdown(block: Block) -> str:
    match block:
        case Text(text, role):
            return f"**{_plain(text)}**" if role == "lead" else _plain(text)
        case Points(items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Figure(name, caption):
            return f"![{_plain(caption)}](figures/{name}.svg)"
        case Details(title, blocks):
            return "\n\n".join([f"### {_plain(title)}", *(_markdown(b) for b in blocks)])
        case Table():
            return _markdown_table(block)


def _markdown_table(table: Table) -> str:
    lines = [
        [_plain(column.title) for column in table.columns],
        ["---:" if look(column) == "number" else "---" for column in table.columns],
    ]
    for row in table.rows:
        cells = zip(row.cells, table.columns, strict=True)
        lines.append([_markdown_cell(cell, column) for cell, column in cells])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = [_plain(note) for note in [footnote(table)] if note]
    return "\n\n".join([_plain(table.caption), body, *notes])


def _markdown_cell(value: Value, column: Column) -> str:
    text = _plain(shown(value, column))
    match value:
        case Link(folder=folder):
            return f"[{text}]({quote(folder)}/report.md)"
        case Scored(stands_out=True):
            return f"**{text}**"
    return text


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line; the dagger in ASCII."""
    one_line = " ".join(text.split())
    escaped = re.sub(r"([\\`*_\[\]|#~])", r"\\\1", one_line)
    escaped = escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped.replace(DAGGER, "&dagger;")
