"""How commands print data: aligned text for people, JSON for programs, both on stdout."""

import json
import sys
from collections.abc import Sequence


def print_json(content: object) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def print_lines(lines: Sequence[str]) -> None:
    """Lines of text."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns wide enough for their longest cell; the last one is not padded."""
    widths = [max(len(r[i]) for r in (header, *rows)) for i in range(len(header) - 1)]
    for row in (header, *rows):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        sys.stdout.write("  ".join([*cells, row[-1]]).rstrip() + "\n")


def tell(text: str) -> None:
    """A line for people on stderr."""
    sys.stderr.write(f"{text}\n")
