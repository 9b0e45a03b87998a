"""Tables as files: CSV with the bare numbers, LaTeX (booktabs) with the shown ones."""

import csv
import io
from collections.abc import Sequence

from textune.report.blocks import Column, Link, Marked, Range, Scored, Table, Value
from textune.report.digits import WORDS, shown
from textune.report.doubts import footnote
from textune.results.run import MAY_HAVE_SEEN

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A spreadsheet takes a cell that begins so for a formula."""

MEASURES = ("seconds", "bytes", "joules")
"""Units that a CSV file names, since it holds bare numbers."""

LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "\u2020": r"\dag{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def as_csv(table: Table) -> str:
    """Full precision, seconds, bytes, joules, shares of one; bounds take columns of their own.

    So does what may have seen the test data: the names themselves have no marks.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    endings = [_endings([row.cells[at] for row in table.rows]) for at in range(len(table.columns))]
    head: list[str] = []
    for column, each in zip(table.columns, endings, strict=True):
        unit = f" [{column.unit}]" if column.unit in MEASURES else ""
        head += [f"{harmless(column.title)}{unit}{ending}" for ending in each]
    writer.writerow(head + [MAY_HAVE_SEEN] * bool(table.doubts))
    for row in table.rows:
        line: list[str | int | float | None] = []
        for cell, each in zip(row.cells, endings, strict=True):
            line += [None] * len(each) if cell is None else _numbers(cell)
        doubts = dict.fromkeys(d for c in row.cells if isinstance(c, Marked) for d in c.doubts)
        writer.writerow(line + ["; ".join(doubts)] * bool(table.doubts))
    return stream.getvalue()


def as_latex(table: Table) -> str:
    """A ``table`` environment for the package booktabs."""
    alignment = "".join("l" if column.unit in WORDS else "r" for column in table.columns)
    head = " & ".join(latex(column.title) for column in table.columns)
    lines = [
        " & ".join(
            _latex_cell(c, column) for c, column in zip(row.cells, table.columns, strict=True)
        )
        for row in table.rows
    ]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{latex(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{line} \\" for line in lines),
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\footnotesize {latex(note)}" for note in [footnote(table)] if note),
            r"\end{table}",
            "",
        ]
    )


def latex(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    return "".join(LATEX.get(letter, letter) for letter in " ".join(text.split()))


def harmless(text: str) -> str:
    """Text that no spreadsheet reads as a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _endings(cells: Sequence[Value]) -> tuple[str, ...]:
    """What the titles of a column's columns in CSV end with."""
    if any(isinstance(cell, Scored) for cell in cells):
        return ("", " low", " high")
    return (" low", " high") if any(isinstance(cell, Range) for cell in cells) else ("",)


def _numbers(
    value: str | int | float | Range | Scored | Link | Marked,
) -> list[str | int | float | None]:
    match value:
        case Range(low=low, high=high):
            return [low, high]
        case Scored(score=score, low=least, high=most):
            return [score, least, most]
        case Link(text=text) | Marked(plain=text) | str(text):
            return [harmless(text)]
    return [value]


def _latex_cell(value: Value, column: Column) -> str:
    text = latex(shown(value, column))
    return rf"\textbf{{{text}}}" if isinstance(value, Scored) and value.stands_out else text
