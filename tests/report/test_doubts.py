import csv
import io
import json

import pytest

from textune.report import figures, render, tables
from textune.report.blocks import Column, Figure, Marked, Row, Table
from textune.report.build import build_overview, build_report, page_of
from textune.report.compare import compare
from textune.report.doubts import DAGGER, daggered, footnote, listed
from textune.report.recommend import NO_LIMITS, recommend

SEEN = ("quora duplicate questions",)
STUDY = {
    "encoder": {"accuracy": 0.9, "price": 0.01, "seen": SEEN, "family": "small model"},
    "nearest": {"accuracy": 0.7, "price": 0.02, "seen": SEEN, "family": "small model"},
    "lora": {"accuracy": 0.8, "price": 0.05},
    "zero-shot": {"accuracy": 0.5, "price": 0.05, "family": "prompted"},
}
WHY = "minilm was trained on quora duplicate questions"
NOTE = f"{DAGGER} may have seen the test data: {WHY}."


@pytest.fixture
def page(make_run):
    comparison = compare(make_run(STUDY))
    return page_of(comparison, recommend(comparison, NO_LIMITS))


def firsts(table):
    return [row.cells[0] for row in table.rows]


def test_every_table_marks_what_may_have_seen_the_test_data(page):
    with_encoder = [
        table
        for table in page.tables()
        if any("encoder" in (c, getattr(c, "plain", "")) for row in table.rows for c in row.cells)
    ]
    assert {"leaderboard", "costs", "per_class", "confidence", "metrics"} <= {
        table.name for table in with_encoder
    }
    for table in with_encoder:
        assert "encoder" not in [c for row in table.rows for c in row.cells], table.name
        assert table.doubts == (WHY,), table.name


def test_what_is_not_known_to_have_seen_anything_has_no_mark(page):
    board = next(table for table in page.tables() if table.name == "leaderboard")
    assert "lora" in firsts(board)
    assert "zero-shot" in firsts(board)


def test_a_run_without_such_models_has_no_mark_and_no_note(make_run):
    comparison = compare(make_run({"a": {"accuracy": 0.9}, "b": {"accuracy": 0.8}}))
    page = page_of(comparison, recommend(comparison, NO_LIMITS))
    assert "dagger" not in render.markdown(page)
    assert not any(table.doubts for table in page.tables())


def test_a_line_under_the_table_says_what_the_mark_means(page):
    board = next(table for table in page.tables() if table.name == "leaderboard")
    drawings = {figure.name: "<svg></svg>" for figure in page.figures()}
    assert footnote(board) == NOTE
    assert f'<p class="note">{NOTE}</p>' in render.html(page, drawings)
    assert "| encoder &dagger; |" in render.markdown(page)
    assert f"\n\n{NOTE.replace(DAGGER, '&dagger;')}\n" in render.markdown(page)
    assert render.markdown(page).isascii()
    latex = tables.as_latex(board)
    assert r"encoder \dag{} &" in latex
    assert rf"\dag{{}} may have seen the test data: {WHY}." in latex


def test_csv_has_plain_names_and_a_column_with_the_reason(page):
    board = next(table for table in page.tables() if table.name == "leaderboard")
    rows = list(csv.DictReader(io.StringIO(tables.as_csv(board))))
    found = {row["Approach"]: row["may have seen the test data"] for row in rows}
    assert found == {"encoder": WHY, "nearest": WHY, "lora": "", "zero-shot": ""}


def test_charts_with_names_carry_the_mark_and_say_what_it_means(page):
    (board,) = [f for f in page.figures() if isinstance(f, Figure) and f.name == "leaderboard"]
    assert f">encoder {DAGGER}<" in figures.svg(board.spec)
    assert ">lora<" in figures.svg(board.spec)
    assert f"{DAGGER}: may have seen the test data." in board.caption


def test_the_recommendation_names_it_and_the_best_of_which_it_is_not_known(make_run):
    said = recommend(compare(make_run(STUDY)), NO_LIMITS)
    assert said.choice == "encoder"
    assert said.headline.endswith(", but may have seen the test data.")
    doubt, free = said.reasons[-2:]
    assert doubt == f"encoder may have seen the test data, so its score may be too high: {WHY}."
    assert free.startswith("The best of which this is not known is lora, with ")


def test_the_recommendation_names_the_best_too_where_the_choice_is_free_of_doubt(make_run):
    study = {
        "encoder": {"accuracy": 0.9, "price": 0.9, "seen": SEEN},
        "lora": {"accuracy": 0.895, "price": 0.1, "copy_of": "encoder"},
    }
    said = recommend(compare(make_run(study)), NO_LIMITS)
    assert said.choice == "lora"
    assert "but may have seen" not in said.headline
    assert any(r.startswith("encoder may have seen the test data") for r in said.reasons)


def test_the_stored_recommendation_holds_the_plain_label(make_run):
    paths = build_report(make_run(STUDY))
    assert json.loads(paths.recommendation.read_text("utf-8"))["choice"] == "encoder"
    summary = paths.markdown.read_text("utf-8")
    assert f"so their scores may be too high: encoder, nearest: {WHY}." in summary


def test_an_overview_marks_an_approach_in_the_part_whose_data_it_may_have_seen(make_parts):
    study = {
        "encoder": {"accuracy": 0.9, "family": "small model"},
        "lora": {"accuracy": 0.895, "copy_of": "encoder"},
    }
    doubted = {**study, "encoder": {**study["encoder"], "seen": SEEN}}
    root = make_parts({"qqp": (doubted, {}), "scicite": (study, {})})
    paths, _ = build_overview(root)
    text = paths.overview.markdown.read_text("utf-8").replace("&dagger;", DAGGER)
    lines = text.splitlines()
    best = {line.split("]")[0][3:]: line for line in lines if line.startswith("| [")}
    assert DAGGER not in best["scicite"]
    in_parts = [line for line in lines if line.startswith(("| [qqp]", "| qqp "))]
    assert any(f"encoder {DAGGER}" in line for line in in_parts)
    assert not any(
        DAGGER in line for line in lines if line.startswith(("| [scicite", "| scicite"))
    )
    assert f"{DAGGER} may have seen the test data: in qqp, as {WHY}." in lines


def test_several_names_in_one_cell_are_marked_one_by_one():
    doubts = {"a": "x", "c": "x"}
    cell = listed(["a", "b", "c"], doubts)
    assert cell == Marked(f"a {DAGGER}, b, c {DAGGER}", "a, b, c", ("x",))
    assert listed(["b"], doubts) == "b"
    assert listed([], doubts) is None
    assert daggered("b", doubts) == "b"


def test_reasons_of_a_table_are_said_once():
    rows = (Row((Marked("a *", "a", ("x",)),)), Row((Marked("b *", "b", ("x", "y")),)))
    table = Table("t", "", (Column("Approach"),), rows)
    assert footnote(table) == f"{DAGGER} may have seen the test data: x; y."
