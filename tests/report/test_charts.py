import re

import pytest

from textune.report import figures
from textune.report.charts import curve_chart, front_chart, score_chart
from textune.report.heat_maps import Shade, heat_chart
from textune.report.look import COLOURS, Mark, Palette

MANY = tuple(f"approach {number}" for number in range(len(COLOURS) + 2))


def marks(*xs):
    return [
        Mark(f"m{at}", "a" if at % 2 else "b", 80 - at, 70 - at, 90 - at, filled=at < 2, x=x)
        for at, x in enumerate(xs)
    ]


def test_no_two_approaches_look_alike():
    palette = Palette(MANY)
    assert len({(palette.colour(a), palette.shape(a)) for a in MANY}) == len(MANY)


@pytest.mark.parametrize("draw", [score_chart, curve_chart])
def test_charts_name_the_metric_and_draw_every_mark(draw):
    spec = draw(marks(10, 100, 1000), "macro F1", Palette(("a", "b")))
    text = figures.svg(spec)
    assert "macro F1 (%)" in text
    assert len(re.findall(r'aria-roledescription="point"', text)) == 3


def test_a_front_names_its_points_where_there_is_room():
    far = figures.svg(front_chart(marks(10, 100, 1000), "F1", "price", Palette(("a", "b"))))
    assert ">m0<" in far
    assert ">m1<" in far
    assert ">m2<" not in far
    near = figures.svg(front_chart(marks(10, 10.01), "F1", "price", Palette(("a", "b"))))
    assert ">m0<" in near


def test_a_front_with_a_cost_of_nothing_has_a_linear_axis():
    spec = front_chart(marks(0, 5), "F1", "price", Palette(("a", "b")))
    assert "point" in figures.svg(spec)
    assert '"type": "log"' not in str(spec).replace("'", '"')


def test_a_heat_map_writes_its_numbers():
    shades = [Shade(panel, "row", "column", 0.4, "17") for panel in ("one", "two")]
    text = figures.svg(heat_chart(shades, rows=["row"], columns=["column"], titles=("", "x")))
    assert text.count(">17<") == 2
    assert ">one<" in text


def test_a_drawing_becomes_a_png_file():
    png = figures.png(figures.svg(score_chart(marks(1), "F1", Palette(("a", "b")))))
    assert png.startswith(b"\x89PNG")
