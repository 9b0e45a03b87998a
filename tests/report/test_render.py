import re
from html.parser import HTMLParser

import pytest

from textune.report import figures, render
from textune.report.blocks import (
    Chapter,
    Column,
    Details,
    Figure,
    Page,
    Points,
    Range,
    Row,
    Table,
    Text,
)
from textune.report.charts import score_chart
from textune.report.look import Mark, Palette

HOSTILE = "<script>alert('x')</script>"


def page(*blocks):
    return Page("A study", "of things", (Chapter("part", "Part", blocks),))


def test_a_page_shows_every_block():
    table = Table("t", "A table", (Column("Name"), Column("F1", "score")), (Row(("lora", 0.5)),))
    text = render.html(
        page(Text("Answer", "lead"), Points(("one", "two")), Details("More", (table,))), {}
    )
    assert '<p class="lead">Answer</p>' in text
    assert "<li>two</li>" in text
    assert "<summary>More</summary>" in text
    assert ">50.0</td>" in text
    assert '<a href="#part">Part</a>' in text


def test_hostile_text_is_escaped_everywhere_in_html():
    table = Table(
        "t",
        HOSTILE,
        (Column(HOSTILE, help=HOSTILE), Column("Text", "text")),
        (Row((HOSTILE, '"><img src=x onerror=alert(1)>')),),
    )
    blocks = (Text(HOSTILE), Points((HOSTILE,)), Details(HOSTILE, (table,)))
    text = render.html(Page(HOSTILE, HOSTILE, (Chapter("part", HOSTILE, blocks),)), {})
    assert "alert('x')</script>" not in text
    assert "<img" not in text
    assert text.count("<script>") == 1


def test_hostile_labels_are_escaped_in_charts():
    mark = Mark(HOSTILE, HOSTILE, 80, 70, 90, filled=True)
    spec = score_chart([mark], HOSTILE, Palette((HOSTILE,)))
    text = render.html(page(Figure("f", HOSTILE, spec)), {"f": figures.svg(spec)})
    assert "<svg" in text
    assert text.count("<script>") == 1


def test_a_page_needs_no_network():
    spec = score_chart([Mark("a", "a", 80, 70, 90, filled=True)], "F1", Palette(("a",)))
    text = render.html(page(Figure("f", "chart", spec)), {"f": figures.svg(spec)})
    links = re.findall(r'(?:src|href)="([^"]*)"', text) + re.findall(r"url\(([^)]*)\)", text)
    assert all(link.startswith(("#", "data:")) for link in links)


def test_two_drawings_on_one_page_share_no_id():
    spec = score_chart([Mark("a", "a", 80, 70, 90, filled=True)], "F1", Palette(("a",)))
    drawing = '<svg width="1"><clipPath id="clip0"/><g clip-path="url(#clip0)"/></svg>'
    text = render.html(
        page(Figure("one", "", spec), Figure("two", "", spec)), {"one": drawing, "two": drawing}
    )
    ids = re.findall(r'\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert "url(#two-clip0)" in text


def test_html_is_well_nested():
    class Nesting(HTMLParser):
        open_tags: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta", "link"):
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    parser = Nesting()
    parser.feed(render.html(page(Text("x"), Details("y", (Points(("z",)),))), {}))
    assert parser.open_tags == []


@pytest.mark.parametrize(
    ("value", "key"), [(None, ""), (0.5, "0.5"), ("b", "b"), (Range(0.25, 1), "0.25")]
)
def test_cells_are_sorted_by_their_bare_values(value, key):
    assert render.sort_key(value) == key


def test_markdown_escapes_what_would_change_its_form():
    table = Table("t", "x", (Column("a|b"),), (Row(("one | two\n# three <b> *four*",)),))
    text = render.markdown(page(table))
    assert r"| a\|b |" in text
    assert r"| one \| two \# three &lt;b&gt; \*four\* |" in text


def test_markdown_of_a_page(snapshot):
    table = Table("t", "Scores", (Column("Name"), Column("F1", "score")), (Row(("lora", 0.5)),))
    figure = Figure("chart", "A chart", {})
    blocks = (Text("Take lora.", "lead"), Points(("cheap", "good")), figure)
    assert render.markdown(page(*blocks, Details("More", (table,)))) == snapshot
