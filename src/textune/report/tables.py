"""Tables as files: CSV with the bare numbers, LaTeX (booktabs) with the shown ones."""

import csv
import io

from textune.report.blocks import Column, Range, Table, Value
from textune.report.digits import WORDS, shown

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
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def as_csv(table: Table) -> str:
    """Full precision, seconds, bytes, joules, shares of one; an interval takes two columns."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    ranges = [
        any(isinstance(row.cells[at], Range) for row in table.rows)
        for at in range(len(table.columns))
    ]
    head: list[str] = []
    for column, is_range in zip(table.columns, ranges, strict=True):
        unit = f" [{column.unit}]" if column.unit in MEASURES else ""
        title = harmless(column.title) + unit
        head += [f"{title} low", f"{title} high"] if is_range else [title]
    writer.writerow(head)
    for row in table.rows:
        line: list[str | int | float | None] = []
        for cell, is_range in zip(row.cells, ranges, strict=True):
            line += _bounds(cell) if is_range else [_bare(cell)]
        writer.writerow(line)
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


def _bare(value: Value) -> str | int | float | None:
    assert not isinstance(value, Range)
    return harmless(value) if isinstance(value, str) else value


def _bounds(value: Value) -> list[str | int | float | None]:
    return [value.low, value.high] if isinstance(value, Range) else [None, None]


def _latex_cell(value: Value, column: Column) -> str:
    return latex(shown(value, column))
