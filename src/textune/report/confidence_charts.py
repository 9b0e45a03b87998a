"""Charts of confidence as Vega-Lite descriptions: can it be believed, does it know the errors?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textune.evaluation.probabilities import Bin
from textune.report.charts import FRONT_HEIGHT, FRONT_WIDTH
from textune.report.look import Mark, Palette, colours, dashes, finish, mark_data

PANEL_SIZE = 168
PER_LINE = 3
"""Panels beside each other; more begin a new line."""
PERCENT = (0, 100)


@dataclass(frozen=True)
class Panel:
    """The bins of a contender, under its label."""

    label: str
    colour: str
    bins: tuple[Bin, ...]


def reliability_chart(panels: Sequence[Panel], share_right: str) -> dict[str, Any]:
    """A reliability diagram for each panel: a dot for each bin, larger for more examples.

    A line leads from each dot to the diagonal, where confidence is what it says.
    """
    import altair as alt

    scale = alt.Scale(domain=PERCENT)
    axis = alt.Axis(tickCount=5, format="d")
    charts = []
    for place, panel in enumerate(panels):
        total = sum(each.num_examples for each in panel.bins)
        rows = [
            {
                "confidence": each.confidence * 100,
                "right": each.share_right * 100,
                "share": each.num_examples / total,
            }
            for each in panel.bins
        ]
        across = alt.X("confidence:Q", scale=scale, title="confidence (%)", axis=axis)
        title = f"{share_right} (%)" if place % PER_LINE == 0 else None
        up = alt.Y("right:Q", scale=scale, title=title, axis=axis)
        diagonal = (
            alt.Chart(_rows([{"confidence": at, "right": at} for at in PERCENT]))
            .mark_line(color="#9aa3ad", strokeDash=[4, 3], strokeWidth=1.2)
            .encode(x=across, y=up)
        )
        base = alt.Chart(
            _rows(rows),
            width=PANEL_SIZE,
            height=PANEL_SIZE,
            title=alt.TitleParams(panel.label, fontSize=12, anchor="start", limit=PANEL_SIZE),
        ).encode(x=across)
        gaps = base.mark_rule(color=panel.colour, strokeWidth=1.4, opacity=0.6).encode(
            y=up, y2="confidence:Q"
        )
        sizes = alt.Size("share:Q", scale=alt.Scale(domain=[0, 1], range=[14, 420]), legend=None)
        dots = base.mark_circle(color=panel.colour, opacity=0.85).encode(y=up, size=sizes)
        charts.append(alt.layer(diagonal, gaps, dots))
    return finish(alt.concat(*charts, columns=PER_LINE) if len(charts) > 1 else charts[0])


def abstention_chart(marks: Sequence[Mark], share_right: str, palette: Palette) -> dict[str, Any]:
    """A line for each approach: share of right answers against coverage, both in percent."""
    import altair as alt

    return finish(
        alt.Chart(mark_data(marks), width=FRONT_WIDTH, height=FRONT_HEIGHT)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X(
                "x:Q",
                scale=alt.Scale(domain=PERCENT),
                title="coverage: most confident answers kept (%)",
                axis=alt.Axis(grid=False),
            ),
            y=alt.Y(
                "score:Q", scale=alt.Scale(zero=False, padding=12), title=f"{share_right} (%)"
            ),
            color=colours(marks, palette, legend=True),
            strokeDash=dashes(marks, palette),
        )
    )


def _rows(values: Sequence[dict[str, float]]) -> Any:
    import altair as alt

    return alt.Data(values=list(values))  # type: ignore[no-untyped-call]
