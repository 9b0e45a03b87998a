"""Every command as a user types it; nothing here needs a language model."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from textune import __version__

HEAVY = {"torch", "transformers", "peft", "sklearn", "scipy", "pyarrow", "altair"}
STUDIES = Path(__file__).parents[2] / "studies"
LISTS = {
    "tasks": {"citation-sample", "questions-sample", "scicite", "qqp"},
    "models": {"smollm2-135m-instruct", "all-minilm-l6-v2"},
    "methods": {"full", "lora", "qlora", "ia3", "prompt_tuning"},
    "approaches": {"majority", "tfidf", "nearest", "prompted", "tuned"},
}


@pytest.mark.parametrize("what", LISTS)
def test_a_list_names_everything_in_aligned_columns(textune, what):
    said = textune("list", what)
    header, *rows = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert {row.split()[0] for row in rows} >= LISTS[what]
    second = header.index(header.split()[1])
    assert all(row[second - 1] == " " and row[second] != " " for row in rows)


@pytest.mark.parametrize("what", LISTS)
def test_a_list_as_json_has_the_same_rows(textune, what):
    _, *rows = textune("list", what).out.splitlines()
    content = json.loads(textune("list", what, "--json").out)
    assert [row["name"] for row in content] == [row.split()[0] for row in rows]
    assert all(set(row) == set(content[0]) for row in content)


def test_everything_is_listed_at_once(textune):
    out = textune("list").out
    assert all(f"{what.upper()}\n" in out for what in LISTS)
    content = json.loads(textune("list", "--json").out)
    assert {what: {row["name"] for row in content[what]} >= LISTS[what] for what in LISTS} == (
        dict.fromkeys(LISTS, True)
    )


@pytest.mark.parametrize(
    "words", [["--help"], ["list", "methods"], ["list", "tasks"], ["list", "models"], ["version"]]
)
def test_help_and_lists_load_nothing_heavy(process, words):
    said, loaded = process(*words)
    assert (said.code, said.err) == (0, "")
    assert not loaded & (HEAVY | {"rich"})


def test_the_package_is_a_command_too():
    command = [sys.executable, "-m", "textune", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == f"{__version__}\n"


def test_a_wrong_command_line_shows_how_it_is_used(textune):
    for words in (["nonsense"], ["plan"], ["study", "a.yaml", "--workers", "0"]):
        said = textune(*words)
        assert (said.code, said.out) == (2, ""), words
        assert "Usage: textune" in said.err


def test_the_schema_describes_a_study_file(textune):
    schema = json.loads(textune("schema").out)
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["type"] == "object"
    assert schema["required"] == ["name"]
    assert schema["anyOf"] == [{"required": ["task", "approaches"]}, {"required": ["parts"]}]
    assert schema["additionalProperties"] is False
    assert "runs/" in schema["properties"]["name"]["description"]
    protocol = schema["$defs"]["ProtocolSpec"]
    assert protocol["properties"]["folds"]["default"] == 5
    assert all("description" in prop for prop in protocol["properties"].values())


def test_the_schema_spells_out_every_approach_and_method(textune):
    schema = json.loads(textune("schema").out)
    names, *forms = schema["properties"]["approaches"]["items"]["anyOf"]
    assert set(names["enum"]) >= LISTS["approaches"]
    by_name = {next(iter(form["properties"])): form for form in forms}
    assert set(by_name) == set(names["enum"])
    for name, form in by_name.items():
        assert set(form["properties"]) == {name, "label"}
        options = form["properties"][name]
        assert options["additionalProperties"] is False
        assert all("description" in option for option in options["properties"].values()), name
    methods = by_name["tuned"]["properties"]["tuned"]["properties"]["method"]["anyOf"]
    assert set(methods[0]["enum"]) >= LISTS["methods"]


def test_a_schema_points_nowhere_that_is_not_there(textune):
    schema = json.loads(textune("schema").out)

    def references(part):
        if isinstance(part, dict):
            yield from (part[key] for key in part if key == "$ref")
            part = list(part.values())
        if isinstance(part, list):
            for item in part:
                yield from references(item)

    for reference in references(schema):
        found = schema
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert "properties" in found or "anyOf" in found


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_that_comes_with_textune_is_well_formed(path):
    from textune.study.spec import load_studies

    assert all(study.approaches for study in load_studies(path))


def test_a_plan_shows_what_is_to_be_done(moods, textune, snapshot, monkeypatch):
    monkeypatch.setattr("textune.study.estimate.price_name", lambda: "cpu")
    monkeypatch.setattr("textune.study.estimate.cores", lambda: 2)
    said = textune("plan", "study.yaml")
    assert (said.code, said.err) == (0, "")
    assert said.out == snapshot
    content = json.loads(textune("plan", "study.yaml", "--json").out)
    assert [c["approach"] for c in content["cells"]] == ["majority"] * 2 + ["tfidf"] * 2
    assert all((c["train"], c["test"], c["done"]) == (12, 12, False) for c in content["cells"])
    assert content["expected"]["tfidf"]["seconds_left"] > 0
    assert not (moods / "runs").exists()


def test_a_plan_says_what_is_impossible_and_why(moods, outside, textune):
    text = (moods / "study.yaml").read_text().replace("tfidf", "pairs_only")
    (moods / "study.yaml").write_text(text)
    said = textune("plan", "study.yaml")
    assert said.code == 0
    assert "impossible: pairs_only: pairs_only cannot do tasks of kind classify" in said.out
    assert "  hint: it does pair" in said.out
    content = json.loads(textune("plan", "study.yaml", "--json").out)
    assert list(content["impossible"]) == ["pairs_only"]


def test_a_plan_says_before_anything_is_loaded_what_cannot_work_and_what_does_not_fit(
    moods, textune, monkeypatch
):
    from textune.testing import tiny_model_folder

    monkeypatch.setenv("TEXTUNE_CACHE", str(moods / "cache"))
    monkeypatch.setattr("textune.study.estimate.memory_bytes", lambda: 10**8)
    monkeypatch.setattr("textune.models.load.load_causal", lambda *_: pytest.fail("loaded"))
    tiny_model_folder(moods / "model", (moods / "mood.csv").read_text().splitlines())
    study = {
        "name": "small",
        "task": "mood.yaml",
        "protocol": {"split": "kfold", "folds": 2},
        "approaches": [
            {"tuned": {"model": "model", "method": "lora"}},
            {"tuned": {"model": "model", "method": {"bitfit": {"add": False}}}},
        ],
    }
    (moods / "study.yaml").write_text(json.dumps(study))
    said = textune("plan", "study.yaml")
    assert (said.code, said.err) == (0, "")
    assert "impossible: bitfit: bitfit trains nothing on llama: it has no biases" in said.out
    assert "too large: lora: 2 of 2 cells do not fit" in said.out
    content = json.loads(textune("plan", "study.yaml", "--json").out)
    assert all(c["peak_bytes"] > 10**8 and c["fits"] is False for c in content["cells"])
    assert 0 < content["expected"]["lora"]["trained_share"] < 1
    assert list(content["impossible"]) == ["bitfit"]
    textune("study", "study.yaml").check_refused(error="it has no biases", hint="add: true")
    assert not (moods / "runs").exists()

    monkeypatch.setattr("textune.study.estimate.memory_bytes", lambda: 10**12)
    monkeypatch.setattr("textune.study.estimate.usable_bytes", lambda: 10**8)
    said = textune("plan", "study.yaml")
    assert "short of memory: lora: 2 of 2 cells divide their batches" in said.out
    assert "too large" not in said.out
    content = json.loads(textune("plan", "study.yaml", "--json").out)
    assert all(c["fits"] and c["sparing"] for c in content["cells"])


def test_a_plan_without_language_models_loads_nothing_heavy(moods, process):
    said, loaded = process("plan", "study.yaml")
    assert (said.code, said.err) == (0, "")
    assert not loaded & {"torch", "transformers", "peft"}


def test_a_finished_study_loads_nothing_heavy(moods, textune, process):
    assert textune("study", "study.yaml").code == 0
    said, loaded = process("study", "study.yaml")
    assert said.code == 0
    assert said.out == "4 cells done; results in runs/small\n"
    assert not loaded & (HEAVY - {"pyarrow"} | {"pandas"})


def test_from_a_csv_to_a_used_model(moods, textune, snapshot):
    said = textune("study", "study.yaml")
    assert said.code == 0
    assert said.out == snapshot(name="study")
    assert "[4/4] tfidf, fold 2, seed 0, 12 examples: macro_f1 " in said.err

    said = textune("report", "runs/small")
    assert (said.code, said.err) == (0, "")
    assert "next: textune fit runs/small" in said.out
    for name in ("index.html", "tables/leaderboard.csv"):
        assert (moods / "runs" / "small" / "report" / name).stat().st_size

    said = textune("fit", "runs/small", "--approach", "tfidf")
    assert said.code == 0
    assert said.out == snapshot(name="fit")
    assert said.err == "fitting tfidf on 24 examples of mood\n"

    said = textune("predict", "runs/small/winner", "mood.csv", "--id", "id")
    assert (said.code, said.err) == (0, "")
    assert said.out == "24 examples labelled: mood.labelled.csv\n"
    with (moods / "mood.labelled.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    right = [row["label"] == row["id"].partition("-")[0] for row in rows]
    assert sum(right) >= 20
    assert all(0.99 < float(r["score:good"]) + float(r["score:bad"]) < 1.01 for r in rows)


def test_a_study_says_as_json_what_it_did(moods, textune):
    (moods / "study.yaml").write_text("name: a\ntask: mood.yaml\napproaches: [majority]\n")
    said = textune("study", "study.yaml", "--run", "here", "--json", "--workers", "2")
    content = {"run": "here", "done": 5, "failed": 0, "done_before": 0}
    assert (said.code, json.loads(said.out)) == (0, content)
    again = textune("study", "study.yaml", "--run", "here", "--json")
    assert json.loads(again.out) == {**content, "done_before": 5}


def test_failed_cells_are_exit_1_and_shown_in_the_report(moods, outside, textune):
    approaches = "[majority, {staged: {act: fail}}]"
    text = (moods / "study.yaml").read_text().replace("[majority, tfidf]", approaches)
    (moods / "study.yaml").write_text(text)
    said = textune("study", "study.yaml")
    assert said.code == 1
    assert "2 cells done, 2 failed; results in runs/small" in said.out
    assert "staged, fold 1, seed 0, 12 examples: FAILED, error: RuntimeError: staged" in said.err
    assert textune("study", "study.yaml").code == 1
    assert textune("report", "runs/small").code == 0
    assert "staged failure" in (moods / "runs/small/report/index.html").read_text()


@pytest.fixture
def bundle(moods, textune):
    """A bundle that needs no model."""
    assert textune("fit", "mood.yaml", "--approach", "tfidf", "--out", "bundle").code == 0
    return moods / "bundle"


def test_a_fit_says_as_json_where_the_bundle_is(moods, textune):
    said = textune("fit", "mood.yaml", "--approach", "{tfidf: {words: 1}}", "--json")
    content = {"bundle": "mood-bundle", "approach": "tfidf", "examples": 24}
    assert (said.code, json.loads(said.out)) == (0, content)
    assert (moods / "mood-bundle" / "bundle.json").is_file()


def test_one_text_is_labelled(bundle, textune):
    said = textune("predict", "bundle", "--text", "a lovely and nice day")
    assert (said.code, said.err) == (0, "")
    label, *scores = said.out.splitlines()
    assert label == "good"
    assert [line.split()[1] for line in scores] == ["good", "bad"]
    content = json.loads(textune("predict", "bundle", "--text", "a dire day", "--json").out)
    assert content["label"] == "bad"
    assert sum(content["scores"].values()) == pytest.approx(1)


def test_two_texts_are_labelled_for_a_pair(moods, textune):
    assert textune("fit", "questions-sample", "--approach", "majority", "--out", "b").code == 0
    said = textune("predict", "b", "--text", "one", "--text", "two", "--json")
    assert json.loads(said.out)["label"] in ("duplicate", "different")


def test_a_file_in_another_format_with_other_columns_is_labelled(bundle, moods, textune):
    rows = [{"remark": "a nice day", "number": 1}, {"remark": "a poor day", "number": 2}]
    (moods / "in.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    words = ("in.jsonl", "--columns", "remark", "--id", "number", "--out", "out.jsonl", "--json")
    said = textune("predict", "bundle", *words)
    assert json.loads(said.out) == {"output": "out.jsonl", "examples": 2}
    read = [json.loads(line) for line in (moods / "out.jsonl").read_text().splitlines()]
    assert [(row["id"], row["label"]) for row in read] == [("1", "good"), ("2", "bad")]


def test_a_cut_prediction_is_finished(bundle, moods, textune):
    assert textune("predict", "bundle", "mood.csv").code == 0
    out = moods / "mood.labelled.csv"
    whole = out.read_bytes()
    out.unlink()
    (moods / "mood.labelled.csv.part").write_bytes(whole[: len(whole) // 2])
    assert textune("predict", "bundle", "mood.csv").code == 0
    assert out.read_bytes() == whole


def test_a_bad_row_costs_only_what_comes_after_it(bundle, moods, textune, monkeypatch):
    monkeypatch.setattr("textune.bundles.predict.CHUNK", 4)
    good = (moods / "mood.csv").read_text()
    lines = good.splitlines()
    (moods / "mood.csv").write_text("\n".join([*lines[:10], "odd,,bad", *lines[11:], ""]))
    said = textune("predict", "bundle", "mood.csv")
    assert said.code == 2
    assert "mood.csv, line 11: the text in the column 'text' is empty" in said.err
    assert len((moods / "mood.labelled.csv.part").read_text().splitlines()) == 9
    (moods / "mood.csv").write_text(good)
    assert textune("predict", "bundle", "mood.csv").code == 0
    assert len((moods / "mood.labelled.csv").read_text().splitlines()) == 25
