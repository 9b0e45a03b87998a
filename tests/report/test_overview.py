import csv
import json

import pytest

from textune.core.errors import StoreError
from textune.report.blocks import Column, Link, Scored
from textune.report.build import build_overview
from textune.report.overview.base import REGISTRY
from textune.report.recommend import Limits
from textune.report.render import in_page


@pytest.fixture
def root(make_parts):
    """Three parts, of which the last has not run; no two have the same approaches."""
    tuned = {"lora": {"accuracy": 0.9, "price": 0.02}, "ia3": {"accuracy": 0.6, "price": 0.01}}
    first = {
        "majority": {"accuracy": 0.4, "family": "baseline"},
        **tuned,
        "zero-shot": {"accuracy": 0.5, "family": "prompted"},
    }
    second = {**tuned, "full": {"accuracy": 0.9, "failed": [(0, 0)]}}
    pairs = {"num_examples": 90, "folds": 3, "labels": ("yes", "no"), "positive": "yes"}
    parts = {"sentence & use": (first, {"num_examples": 120}), "pairs": (second, pairs)}
    return make_parts({**parts, "later": None})


@pytest.fixture
def report(root):
    return build_overview(root)[0].overview


def rows(report, name):
    with (report.folder / "tables" / f"{name}.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_folder_holds_these_sections():
    assert set(REGISTRY.names()) >= {"parts", "scores", "families", "costs"}
    orders = [REGISTRY.get(name).order for name in REGISTRY.names()]
    assert len(orders) == len(set(orders))


def test_every_part_that_ran_has_its_own_report_and_all_have_one_together(root):
    paths, recommended = build_overview(root)
    assert paths.overview.page == root / "report" / "index.html"
    assert list(paths.parts) == list(recommended) == ["sentence & use", "pairs"]
    assert all(each.page.is_file() for each in paths.parts.values())
    content = json.loads(paths.overview.recommendation.read_text(encoding="utf-8"))
    assert content["pairs"]["choice"] == recommended["pairs"].choice == "lora"


def test_a_part_is_described_with_its_best(report):
    best, other = rows(report, "best")
    assert (best["Part"], best["Best"], best["Recommended"]) == ("sentence & use", "lora", "lora")
    assert float(best["Score low"]) < float(best["Score"]) < float(best["Score high"])
    assert other["Main score"] == "positive F1"
    first, second = rows(report, "parts")
    assert (first["Protocol"], second["Protocol"]) == (
        "fixed split, one seed",
        "3 folds, one seed",
    )
    assert (first["Kind"], second["Kind"]) == ("classify", "pair")
    assert (first["Tested on"], second["Cells"]) == ("120", "6")
    assert float(second["Time [seconds]"]) == pytest.approx(6 * 62.0)
    assert float(second["Price (EUR)"]) == pytest.approx(3 * 0.03)


def test_approaches_stand_in_rows_and_parts_in_columns(report):
    scores = rows(report, "scores")
    assert [row["Approach"] for row in scores] == ["majority", "lora", "ia3", "zero-shot"]
    titles = list(scores[0])
    assert titles[1:4] == [f"sentence & use, macro F1{end}" for end in ("", " low", " high")]
    assert titles[4:7] == [f"pairs, positive F1{end}" for end in ("", " low", " high")]
    assert scores[0]["pairs, positive F1"] == scores[3]["pairs, positive F1"] == ""
    assert float(scores[1]["pairs, positive F1"]) > 0.8
    assert {row["Approach"] for row in rows(report, "memory")} == {r["Approach"] for r in scores}


def test_the_page_links_to_the_parts_and_marks_what_is_tied_with_the_best(report):
    page = report.page.read_text(encoding="utf-8")
    assert '<a href="../sentence%20%26%20use/report/index.html">sentence &amp; use</a>' in page
    assert page.count("<strong>") == 2
    text = report.markdown.read_text(encoding="utf-8")
    assert "[pairs](../pairs/report/report.md)" in text
    assert "The best, or tied with the best, in all 2 parts compared: lora." in text
    assert r"\textbf{" in (report.folder / "tables" / "scores.tex").read_text(encoding="utf-8")
    assert "<svg" in (report.folder / "figures" / "scores.svg").read_text(encoding="utf-8")


def test_what_is_not_done_is_said(report):
    text = report.markdown.read_text(encoding="utf-8")
    assert "Not run yet: later. Not complete in pairs: full." in text


def test_tuned_is_tested_against_the_other_families_of_its_part(report):
    (row,) = rows(report, "families")
    assert (row["Part"], row["Against"], row["Its best"]) == (
        "sentence & use",
        "prompted",
        "zero-shot",
    )
    assert float(row["Difference"]) > 0.2


def test_each_part_has_a_sentence_and_a_band_in_the_picture(report):
    text = report.markdown.read_text(encoding="utf-8")
    assert "- sentence &amp; use: the best tuned approach (lora, 9" in text
    assert "is above the best prompted (zero-shot, " in text
    drawing = (report.folder / "figures" / "families.svg").read_text(encoding="utf-8")
    for words in ("sentence &amp; use, macro F1", "pairs, positive F1", "tuned", "prompted"):
        assert f">{words}</text>" in drawing
    assert ">small model</text>" not in drawing


def test_limits_hold_in_every_part(root):
    _, recommended = build_overview(root, limits=Limits(max_price=0.015))
    assert [said.choice for said in recommended.values()] == ["ia3", "ia3"]


def test_parts_without_any_complete_approach_are_no_failure(make_parts):
    root = make_parts({"a": ({"x": {"accuracy": 0.5, "failed": [(0, 0)]}}, {})})
    overview = build_overview(root)[0].overview
    assert "No part has a complete approach yet." in overview.markdown.read_text(encoding="utf-8")


def test_without_a_run_there_is_no_report(make_parts):
    with pytest.raises(StoreError, match="no part has run yet"):
        build_overview(make_parts({"a": None}))


def test_links_and_scores_are_escaped():
    link = Link("<b>", "../<b>/report")
    assert "<b>" not in str(in_page(link, Column("x")))
    bold = Scored(0.5, None, None, stands_out=True)
    assert str(in_page(bold, Column("x", "score"))) == "<strong>50.0</strong>"


def test_the_overview_in_markdown(report, snapshot):
    assert report.markdown.read_text(encoding="utf-8") == snapshot
