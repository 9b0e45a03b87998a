"""The common look of all charts: one colour and shape for each approach, marks, axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc6fa8",
    "#8c6d1f",
    "#56b4e9",
    "#7f3c8d",
    "#e69f00",
    "#4d4d4d",
)
"""Told apart under the usual forms of colour blindness and on white (after Okabe and Ito)."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""The second sign of an approach: changes when the colours begin again."""

DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [4, 4], [10, 4])
"""The same for lines: pixels drawn and left out, in turn."""

FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


@dataclass(frozen=True)
class Palette:
    """One colour and shape for each approach, the same in every chart and table."""

    approaches: tuple[str, ...]

    def colour(self, approach: str) -> str:
        """The colour as ``#rrggbb``."""
        return COLOURS[self.approaches.index(approach) % len(COLOURS)]

    def shape(self, approach: str) -> str:
        """The shape by Vega's name."""
        return SHAPES[self._round(approach) % len(SHAPES)]

    def dash(self, approach: str) -> list[int]:
        """How a line is dashed."""
        return DASHES[self._round(approach) % len(DASHES)]

    def _round(self, approach: str) -> int:
        """How often the colours began again before it."""
        return self.approaches.index(approach) // len(COLOURS)


@dataclass(frozen=True)
class Mark:
    """A contender in a chart: its score and interval in percent, at ``x`` where there is one."""

    label: str
    approach: str
    score: float
    low: float
    high: float
    filled: bool
    """Tied with the best, or on the front."""
    x: float | None = None
    fold_low: float | None = None
    fold_high: float | None = None
    shown: str = ""
    """The label as it is drawn, where that is another one."""


def mark_data(marks: Sequence[Mark]) -> "alt.Data":
    """The marks as the rows of a chart."""
    import altair as alt

    rows = [{**vars(mark), "shown": mark.shown or mark.label} for mark in marks]
    return alt.Data(values=rows)  # type: ignore[no-untyped-call]


def _domain(marks: Sequence[Mark], palette: Palette) -> list[str]:
    present = {mark.approach for mark in marks}
    return [approach for approach in palette.approaches if approach in present]


def colours(marks: Sequence[Mark], palette: Palette, *, legend: bool) -> "alt.Color":
    """The colour of each approach that is present, with a legend of them on request."""
    import altair as alt

    domain = _domain(marks, palette)
    scale = alt.Scale(domain=domain, range=[palette.colour(a) for a in domain])
    shown = alt.Legend(title=None, symbolType="circle", symbolOpacity=1, labelLimit=170)
    return alt.Color("approach:N", scale=scale, legend=shown if legend else None)


def dashes(marks: Sequence[Mark], palette: Palette) -> "alt.StrokeDash":
    """The dashes of each approach that is present."""
    import altair as alt

    domain = _domain(marks, palette)
    scale = alt.Scale(domain=domain, range=[palette.dash(a) for a in domain])
    return alt.StrokeDash("approach:N", scale=scale, legend=None)


def points(base: "alt.Chart", palette: Palette, marks: Sequence[Mark]) -> "alt.Chart":
    """Points in the shape of their approach, hollow unless ``filled``."""
    import altair as alt

    domain = _domain(marks, palette)
    scale = alt.Scale(domain=domain, range=[palette.shape(a) for a in domain])
    point: alt.Chart = base.mark_point(size=70, strokeWidth=2, opacity=1).encode(
        shape=alt.Shape("approach:N", scale=scale, legend=None),
        fill=alt.condition(
            "datum.filled", colours(marks, palette, legend=False), alt.value("#fff")
        ),
    )
    return point


def finish(chart: "alt.TopLevelMixin") -> dict[str, Any]:
    """The description with the common look."""
    axis: Mapping[str, Any] = {
        "labelFontSize": 11.5,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titleColor": "#444",
        "labelColor": "#333",
        "gridColor": "#e9ecf0",
        "domainColor": "#b9c0c8",
        "tickColor": "#b9c0c8",
    }
    text = {"fontSize": 11.5, "color": "#333"}
    config = {
        "font": FONT,
        "text": text,
        "background": "#ffffff",
        "view": {"stroke": None},
        "axis": axis,
    }
    return {**chart.to_dict(), "config": config, "padding": 12}
