"""Scores of several parts: of every approach side by side, and of the best of each family."""

from collections.abc import Mapping, Sequence
from typing import Any

from textune.report.look import Mark, Palette, colours, finish, mark_data, points

WIDTH = 620
PER_LINE = 3
"""Charts beside each other; more begin a new line."""
ROW_HEIGHT = 24
MAX_ROWS = 40


def parts_chart(
    marks: Mapping[str, Sequence[Mark]], labels: Sequence[str], palette: Palette
) -> dict[str, Any]:
    """A chart for each part, its title -> its marks; rows in the order of ``labels`` in each."""
    import altair as alt

    shown = labels[:MAX_ROWS]
    everything = [mark for each in marks.values() for mark in each]
    columns = min(PER_LINE, len(marks))
    charts = []
    for place, (title, each) in enumerate(marks.items()):
        is_first = place % columns == 0
        axis = alt.Axis(labelLimit=240, labels=is_first, ticks=is_first, domain=False)
        kept = [mark for mark in each if mark.label in shown]
        base = alt.Chart(
            mark_data(kept), width=WIDTH // columns, height=ROW_HEIGHT * len(shown)
        ).encode(
            y=alt.Y("label:N", scale=alt.Scale(domain=shown), sort=None, title=None, axis=axis),
            color=colours(everything, palette, legend=False),
        )
        across = alt.Scale(zero=False, nice=True)
        interval = base.mark_rule(strokeWidth=4.5, opacity=0.45, strokeCap="round").encode(
            x=alt.X("low:Q", scale=across, title=title, axis=alt.Axis(tickCount=4)), x2="high:Q"
        )
        dots = points(base, palette, everything).encode(x=alt.X("score:Q", scale=across))
        charts.append(alt.layer(interval, dots))
    return finish(alt.concat(*charts, columns=columns, spacing=32))


def families_chart(marks: Sequence[Mark], palette: Palette) -> dict[str, Any]:
    """A band for each part (the label of a mark), in it a line for each family (its approach)."""
    import altair as alt

    parts = list(dict.fromkeys(mark.label for mark in marks))
    band = alt.Y(
        "label:N",
        scale=alt.Scale(domain=parts, paddingInner=0.35, paddingOuter=0.2),
        sort=None,
        title=None,
        axis=alt.Axis(labelLimit=240, domain=False, ticks=False),
    )
    line = alt.YOffset("approach:N", scale=alt.Scale(domain=list(palette.approaches)))
    across = alt.Scale(zero=False, nice=True)
    base = alt.Chart(
        mark_data(marks),
        width=WIDTH - 60,
        height=len(palette.approaches) * ROW_HEIGHT * len(parts),
    ).encode(y=band, yOffset=line, color=colours(marks, palette, legend=True))
    interval = base.mark_rule(strokeWidth=4.5, opacity=0.45, strokeCap="round").encode(
        x=alt.X("low:Q", scale=across, title="main score (%)"), x2="high:Q"
    )
    dots = points(base, palette, marks).encode(x=alt.X("score:Q", scale=across))
    return finish(alt.layer(interval, dots))
