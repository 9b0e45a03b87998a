"""Heat maps as Vega-Lite descriptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from textune.report.look import finish

MAX_COLUMNS = 14
"""Columns of all heat maps that stand side by side."""


@dataclass(frozen=True)
class Shade:
    """A cell of a heat map: ``share`` of one gives the shade, ``text`` is written on it."""

    panel: str
    row: str
    column: str
    share: float
    text: str


def heat_chart(
    shades: Sequence[Shade],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    titles: tuple[str, str],
) -> dict[str, Any]:
    """One heat map for each panel, up to three side by side; ``titles`` name rows and columns."""
    import altair as alt

    panels = list(dict.fromkeys(shade.panel for shade in shades))
    step = 46 if len(panels) > 1 else 58
    charts = []
    for panel in panels:
        values = [vars(shade) for shade in shades if shade.panel == panel]
        base = alt.Chart(
            alt.Data(values=values),  # type: ignore[no-untyped-call]
            width=alt.Step(step),
            height=alt.Step(28),
            title=alt.TitleParams(panel, fontSize=12, anchor="start") if panel else alt.Undefined,
        ).encode(
            x=alt.X(
                "column:N",
                sort=list(columns),
                title=titles[1],
                axis=alt.Axis(labelAngle=-35, labelLimit=110, domain=False, ticks=False),
            ),
            y=alt.Y(
                "row:N",
                sort=list(rows),
                title=titles[0],
                axis=alt.Axis(labelLimit=200, domain=False, ticks=False),
            ),
        )
        shade_scale = alt.Scale(domain=[0, 1], range=["#f4f7fb", "#0b4f86"])
        ink = alt.condition("datum.share > 0.55", alt.value("#ffffff"), alt.value("#222222"))
        charts.append(
            base.mark_rect(stroke="#ffffff").encode(
                color=alt.Color("share:Q", scale=shade_scale, legend=None)
            )
            + base.mark_text(fontSize=11).encode(text="text:N", color=ink)
        )
    side_by_side = max(1, min(3, MAX_COLUMNS // len(columns)))
    return finish(alt.concat(*charts, columns=side_by_side) if len(charts) > 1 else charts[0])
