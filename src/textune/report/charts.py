"""The charts of a report as Vega-Lite descriptions; every chart of a page shares this look.

Not covered: turning a description into an image (``figures.py``).
"""

import math
from collections.abc import Sequence
from typing import Any

from textune.report.look import Mark, Palette, colours, finish, mark_data, points

WIDTH = 620
FRONT_WIDTH, FRONT_HEIGHT = 560, 330
EDGE = 24
"""Pixels between the outermost points and the ends of their axis."""
LETTER_WIDTH, LINE_HEIGHT = 6, 16
MAX_ROWS = 30
"""A chart with a row for each contender shows this many at most."""


def score_chart(marks: Sequence[Mark], metric: str, palette: Palette) -> dict[str, Any]:
    """A row for each contender, best first: the score, the thick bootstrap and thin t interval."""
    import altair as alt

    shown = marks[:MAX_ROWS]
    rows = alt.Y(
        "shown:N",
        sort=[m.shown or m.label for m in shown],
        title=None,
        axis=alt.Axis(labelLimit=240),
    )
    scale = alt.Scale(zero=False, nice=True)
    base = alt.Chart(mark_data(shown), width=WIDTH, height=alt.Step(24)).encode(
        y=rows, color=colours(shown, palette, legend=False)
    )
    thin = base.transform_filter("isValid(datum.fold_low)").mark_rule(strokeWidth=1.2)
    thick = base.mark_rule(strokeWidth=4.5, opacity=0.45, strokeCap="round")
    axis = alt.X("low:Q", scale=scale, title=f"{metric} (%)")
    layers = alt.layer(
        thin.encode(x=alt.X("fold_low:Q", scale=scale), x2="fold_high:Q"),
        thick.encode(x=axis, x2="high:Q"),
        points(base, palette, shown).encode(x="score:Q"),
    )
    return finish(layers)


def front_chart(
    marks: Sequence[Mark], metric: str, axis_title: str, palette: Palette
) -> dict[str, Any]:
    """Score against a cost; the front is filled, named and joined by a line."""
    import altair as alt

    is_log = all(mark.x is not None and mark.x > 0 for mark in marks)
    scale = alt.Scale(type="log" if is_log else "linear", nice=False, padding=EDGE)
    across = alt.X(
        "x:Q", scale=scale, title=axis_title, axis=alt.Axis(tickCount=6, format="~g", grid=False)
    )
    up = alt.Y("score:Q", scale=alt.Scale(zero=False, padding=12), title=f"{metric} (%)")
    base = alt.Chart(mark_data(marks), width=FRONT_WIDTH, height=FRONT_HEIGHT)
    line = (
        base.transform_filter("datum.filled")
        .mark_line(color="#9aa3ad", strokeDash=[4, 3])
        .encode(x=across, y=up, order=alt.Order("x:Q"))
    )
    coloured = base.encode(color=colours(marks, palette, legend=True), x=across)
    whiskers = coloured.mark_rule(strokeWidth=1.4, opacity=0.6).encode(
        y=alt.Y("low:Q", scale=alt.Scale(zero=False, padding=12)), y2="high:Q"
    )
    dots = points(coloured, palette, marks).encode(y=up)
    names = [
        alt.Chart(mark_data([mark]))
        .mark_text(**_beside(is_left))
        .encode(x=across, y=up, text="shown:N")
        for mark, is_left in _named(marks, is_log=is_log)
    ]
    return finish(alt.layer(line, whiskers, dots, *names))


def curve_chart(marks: Sequence[Mark], metric: str, palette: Palette) -> dict[str, Any]:
    """Score against the number of training examples, a line for each approach."""
    import altair as alt

    sizes = sorted({mark.x for mark in marks if mark.x is not None})
    across = alt.X(
        "x:Q",
        scale=alt.Scale(type="log", nice=False, padding=EDGE),
        title="training examples",
        axis=alt.Axis(values=sizes, format=",d", grid=False),
    )
    base = alt.Chart(mark_data(marks), width=FRONT_WIDTH, height=FRONT_HEIGHT).encode(
        x=across, color=colours(marks, palette, legend=True)
    )
    up = alt.Y("score:Q", scale=alt.Scale(zero=False, padding=12), title=f"{metric} (%)")
    return finish(
        alt.layer(
            base.mark_line(strokeWidth=2).encode(y=up),
            base.mark_rule(strokeWidth=1.4, opacity=0.6).encode(
                y=alt.Y("low:Q", scale=alt.Scale(zero=False, padding=12)), y2="high:Q"
            ),
            points(base, palette, marks).encode(y=up),
        )
    )


def _named(marks: Sequence[Mark], *, is_log: bool) -> list[tuple[Mark, bool]]:
    """Marks on the front that have room for their name, and whether it stands to the left.

    Above to the left of a front nothing else can be; without room there it stands below to the
    right. The best come first; a name that would run into another one is left out.
    """
    across = [math.log(m.x) if is_log else m.x for m in marks if m.x is not None]
    up = [bound for mark in marks for bound in (mark.low, mark.high)]
    taken: list[tuple[float, float, float]] = []
    named = []
    for mark, x in sorted(zip(marks, across, strict=True), key=lambda pair: -pair[0].score):
        share = (x - min(across)) / (max(across) - min(across) or 1)
        at = EDGE + (FRONT_WIDTH - 2 * EDGE) * share
        y = FRONT_HEIGHT * (mark.score - min(up)) / (max(up) - min(up) or 1)
        width = LETTER_WIDTH * len(mark.label) + LINE_HEIGHT
        is_left = at > width
        left = at - width if is_left else at
        y -= 0 if is_left else LINE_HEIGHT
        is_free = all(
            abs(y - other_y) > LINE_HEIGHT or left > other_right or left + width < other_left
            for other_left, other_right, other_y in taken
        )
        if mark.filled and is_free:
            taken.append((left, left + width, y))
            named.append((mark, is_left))
    return named


def _beside(is_left: bool) -> dict[str, Any]:
    """Where a name stands: above to the left of its point, or below to the right."""
    return (
        {"align": "right", "dx": -7, "dy": -7} if is_left else {"align": "left", "dx": 9, "dy": 9}
    )
