import csv
import json

import pytest

from textune.core.errors import StoreError
from textune.report.build import build_report
from textune.report.recommend import Limits

HOSTILE = "<script>alert('x')</script> & $5 _x_ | pipe"
STUDY = {
    "lora": {"accuracy": 0.9, "price": 0.02},
    "=cmd()": {"accuracy": 0.7, "price": 0.01},
    "full": {"accuracy": 0.9, "failed": [(1, 0)]},
}


@pytest.fixture
def report(make_run):
    texts = dict.fromkeys(range(90), HOSTILE)
    return build_report(make_run(STUDY, folds=3, num_examples=90, texts=texts))


def test_a_report_has_all_its_files(report):
    assert report.folder.name == "report"
    for path in (report.page, report.markdown, report.recommendation):
        assert path.stat().st_size > 100
    assert {p.name for p in report.tables} >= {"leaderboard.csv", "leaderboard.tex", "costs.csv"}
    assert {p.name for p in report.figures} >= {"leaderboard.svg", "leaderboard.png"}
    assert all(path.is_file() for path in (*report.tables, *report.figures))
    assert report.page.stat().st_size < 3e6


def test_a_report_runs_no_text_of_an_example(report):
    text = report.page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert" in text
    assert text.count("<script>") == 1
    assert "<script>" not in report.markdown.read_text(encoding="utf-8")


def test_a_label_is_no_formula_in_csv(report):
    path = report.folder / "tables" / "leaderboard.csv"
    with path.open(newline="", encoding="utf-8") as handle:
        labels = [row["Approach"] for row in csv.DictReader(handle)]
    assert labels == ["lora", "'=cmd()"]


def test_the_recommendation_is_stored_as_data(report):
    content = json.loads(report.recommendation.read_text(encoding="utf-8"))
    assert content["choice"] == "lora"
    assert content["rejected"]["full"].startswith("not comparable: 1 failed")


def test_limits_reach_the_recommendation_and_out_names_the_folder(make_run, tmp_path):
    root = make_run({"a": {"accuracy": 0.9, "price": 3.0}})
    report = build_report(root, limits=Limits(max_price=1.0), out=tmp_path / "elsewhere")
    assert report.folder == tmp_path / "elsewhere"
    content = json.loads(report.recommendation.read_text(encoding="utf-8"))
    assert content["choice"] is None
    assert not (root / "report").exists()


def test_the_same_run_gives_the_same_report(make_run):
    root = make_run({"a": {"accuracy": 0.9}, "b": {"accuracy": 0.6}}, folds=2)
    first = build_report(root).page.read_bytes()
    assert build_report(root).page.read_bytes() == first


def test_the_markdown_of_a_report(make_run, snapshot):
    study = {"lora": {"accuracy": 0.9, "price": 0.02}, "tfidf": {"accuracy": 0.6, "price": 0.001}}
    report = build_report(make_run(study, folds=3, num_examples=90))
    assert report.markdown.read_text(encoding="utf-8") == snapshot


def test_a_folder_that_is_no_run_gets_no_report(tmp_path):
    with pytest.raises(StoreError, match="is no run folder"):
        build_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
