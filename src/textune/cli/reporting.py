"""``textune report``."""

from pathlib import Path

from textune.cli.output import print_json, print_lines
from textune.cli.sizes import bytes_of
from textune.core.config import plain
from textune.report.build import ReportPaths, build_overview, page_of, write
from textune.report.compare import compare
from textune.report.recommend import Limits, recommend
from textune.results.parts import has_parts


def limits_of(
    max_memory: str | None, max_price: float | None, max_latency: float | None
) -> Limits:
    """Limits from the words of a command line.

    Raises:
        ConfigError: the memory is not a number with a unit.
    """
    return Limits(
        max_memory_bytes=bytes_of(max_memory, "--max-memory"),
        max_price=max_price,
        max_latency_seconds=max_latency,
    )


def run(root: Path, limits: Limits, *, as_json: bool) -> None:
    """Write the report, print the recommendation and where everything is."""
    if has_parts(root):
        _over_parts(root, limits, as_json=as_json)
        return
    comparison = compare(root)
    recommendation = recommend(comparison, limits)
    paths = write(page_of(comparison, recommendation), recommendation, root / "report")
    if as_json:
        print_json({"page": str(paths.page), "recommendation": plain(recommendation)})
        return
    print_lines([recommendation.headline, *(f"- {r}" for r in recommendation.reasons)])
    _print_places(paths)
    if recommendation.choice:
        print_lines(["", f"next: textune fit {root}"])


def _over_parts(root: Path, limits: Limits, *, as_json: bool) -> None:
    """The reports of all parts and the one over them."""
    paths, recommended = build_overview(root, limits=limits)
    if as_json:
        parts = {
            name: {"page": str(paths.parts[name].page), "recommendation": plain(recommendation)}
            for name, recommendation in recommended.items()
        }
        print_json({"page": str(paths.overview.page), "parts": parts})
        return
    print_lines([f"{name}: {said.headline}" for name, said in recommended.items()])
    _print_places(paths.overview)
    choices = [root / name for name, said in recommended.items() if said.choice]
    print_lines(["" for _ in choices[:1]] + [f"next: textune fit {path}" for path in choices[:1]])


def _print_places(paths: ReportPaths) -> None:
    print_lines(["", f"page:      {paths.page}", f"markdown:  {paths.markdown}"])
    print_lines(
        [f"tables:    {paths.folder / 'tables'}", f"figures:   {paths.folder / 'figures'}"]
    )
