"""Studies with parts, as a user types them."""

import json

import pytest

STUDY = """\
name: both
task: mood.yaml
protocol: {split: kfold, folds: 2}
approaches: [majority]
parts:
  halves: {}
  thirds: {protocol: {folds: 3}}
"""


@pytest.fixture(autouse=True)
def both(moods):
    (moods / "both.yaml").write_text(STUDY, encoding="utf-8")


def test_a_plan_shows_every_part(textune, snapshot, monkeypatch):
    monkeypatch.setattr("textune.study.estimate.price_name", lambda: "cpu")
    monkeypatch.setattr("textune.study.estimate.cores", lambda: 2)
    said = textune("plan", "both.yaml")
    assert (said.code, said.err) == (0, "")
    assert said.out == snapshot
    content = json.loads(textune("plan", "both.yaml", "--json").out)
    assert content["study"] == "both"
    assert {part: len(c["cells"]) for part, c in content["parts"].items()} == {
        "halves": 2,
        "thirds": 3,
    }


def test_a_plan_of_one_part_shows_it_alone(textune):
    said = textune("plan", "both.yaml", "--part", "thirds")
    assert "both/thirds: 3 cells on mood, 3 folds" in said.out
    assert "halves" not in said.out


def test_parts_run_one_after_the_other_and_are_reported_together(moods, textune):
    said = textune("study", "both.yaml")
    assert (said.code, said.out) == (0, "5 cells done; results in runs/both\n")
    lines = said.err.splitlines()
    assert lines[0] == "halves: 2 cells"
    assert lines[-2].startswith("[5/5] thirds: majority, fold 3, seed 0, 16 examples: macro_f1 ")
    assert lines[-1] == "next: textune report runs/both"

    said = textune("report", "runs/both")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("halves: Take majority: macro F1 of ")
    assert "page:      runs/both/report/index.html" in said.out
    assert said.out.endswith("next: textune fit runs/both/halves\n")
    for folder in ("", "halves/", "thirds/"):
        assert (moods / f"runs/both/{folder}report/index.html").stat().st_size
    content = json.loads(textune("report", "runs/both", "--json").out)
    assert content["page"] == "runs/both/report/index.html"
    assert content["parts"]["thirds"]["page"] == "runs/both/thirds/report/index.html"
    assert content["parts"]["thirds"]["recommendation"]["choice"] == "majority"

    said = textune("fit", "runs/both/halves", "--approach", "majority")
    assert said.code == 0


def test_a_study_of_parts_says_as_json_what_it_did(textune):
    one = {"run": "here/halves", "done": 2, "failed": 0, "done_before": 0}
    said = textune("study", "both.yaml", "--run", "here", "--part", "halves", "--json")
    whole = {"run": "here", "done": 2, "failed": 0, "done_before": 0, "parts": {"halves": one}}
    assert (said.code, json.loads(said.out)) == (0, whole)
    again = json.loads(textune("study", "both.yaml", "--run", "here", "--json").out)
    assert again["parts"]["halves"] == {**one, "done_before": 2}
    assert (again["done"], again["done_before"]) == (5, 2)


def test_a_part_with_failed_cells_is_exit_1_and_the_others_go_on(moods, outside, textune):
    failing = STUDY.replace("halves: {}", "halves: {approaches: [{staged: {act: fail}}]}")
    (moods / "both.yaml").write_text(failing, encoding="utf-8")
    said = textune("study", "both.yaml")
    assert said.code == 1
    assert "5 cells done, 2 failed; results in runs/both" in said.out
    assert textune("report", "runs/both").code == 0
    overview = (moods / "runs/both/report/report.md").read_text(encoding="utf-8")
    assert "Not complete in halves: staged." in overview


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("study both.yaml --part third", "study both has no part 'third'", "'thirds'?"),
        ("study study.yaml --part a", "study small has no part 'a'", "nothing is allowed"),
        ("fit runs/both --approach majority", "runs/both holds 2 parts", "runs/both/halves"),
    ],
)
def test_a_mistake_about_parts_is_one_line_and_a_hint(moods, textune, words, error, hint):
    (moods / "runs/both").mkdir(parents=True)
    (moods / "runs/both/parts.yaml").write_text("name: both\nparts: [halves, thirds]\n")
    textune(*words.split()).check_refused(error=error, hint=hint)
