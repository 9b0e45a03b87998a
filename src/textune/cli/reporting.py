"""``textune report``."""

import re
from pathlib import Path

from textune.cli.output import print_json, print_lines
from textune.core.config import plain
from textune.core.errors import ConfigError
from textune.report.build import page_of, write
from textune.report.compare import compare
from textune.report.recommend import Limits, recommend

UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}


def limits_of(
    max_memory: str | None, max_price: float | None, max_latency: float | None
) -> Limits:
    """Limits from the words of a command line.

    Raises:
        ConfigError: the memory is not a number with a unit.
    """
    return Limits(
        max_memory_bytes=None if max_memory is None else _bytes(max_memory),
        max_price=max_price,
        max_latency_seconds=max_latency,
    )


def run(root: Path, limits: Limits, *, as_json: bool) -> None:
    """Write the report, print the recommendation and where everything is."""
    comparison = compare(root)
    recommendation = recommend(comparison, limits)
    paths = write(page_of(comparison, recommendation), recommendation, root / "report")
    if as_json:
        print_json({"page": str(paths.page), "recommendation": plain(recommendation)})
        return
    print_lines([recommendation.headline, *(f"- {r}" for r in recommendation.reasons)])
    print_lines(["", f"page:      {paths.page}", f"markdown:  {paths.markdown}"])
    print_lines(
        [f"tables:    {paths.folder / 'tables'}", f"figures:   {paths.folder / 'figures'}"]
    )
    if recommendation.choice:
        print_lines(["", f"next: textune fit {root}"])


def _bytes(text: str) -> float:
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", text)
    if not found or found[2].lower() not in UNITS or found[1].count(".") > 1:
        raise ConfigError(f"--max-memory: cannot read {text!r}", hint="for example 2GiB or 800MB")
    return float(found[1]) * UNITS[found[2].lower()]
