"""``textune check``: the page, what programs read, and the study file that it writes."""

import json
from pathlib import Path

import pytest

from textune.study.plan import make_plan
from textune.study.spec import load_studies

KEYS = {
    "task",
    "kind",
    "audit",
    "artefacts",
    "protocol",
    "reasons",
    "smallest_difference",
    "approaches",
    "may_have_seen",
    "study",
}
PAIRS = "question1,question2,is_duplicate\n" + "".join(
    f"How do I mend bicycle {n % 40}?,What is the use of thing {n}?,{n % 2}\n" for n in range(120)
)


def test_a_users_file_is_shown(moods, textune, snapshot):
    with (moods / "mood.csv").open("a") as handle:
        handle.write("extra,it was a nice and great day,bad\n")
    said = textune("check", "mood.csv")
    assert (said.code, said.err) == (0, "")
    assert said.out == snapshot


def test_a_sample_task_is_shown_with_its_protocol(textune):
    said = textune("check", "citation-sample")
    assert (said.code, said.err) == (0, "")
    assert "background  150    41.7 %" in said.out
    assert "360 tested examples show differences of macro F1 from about 8" in said.out
    assert "  folds: 10            360 examples are few" in said.out
    assert "next: textune check citation-sample --study study.yaml" in said.out


def test_nothing_that_computes_language_models_is_loaded(moods, process):
    said, loaded = process("check", "mood.csv", "--study", "new.yaml")
    assert (said.code, said.err) == (0, "")
    assert not loaded & {"torch", "transformers", "peft"}


def test_json_holds_everything(moods, textune):
    content = json.loads(textune("check", "mood.csv", "--json").out)
    assert set(content) == KEYS
    assert (content["task"], content["kind"], content["study"]) == ("mood", "classify", None)
    assert content["audit"]["parts"][0]["labels"] == {"good": 12, "bad": 12}
    assert {finding["name"] for finding in content["audit"]["findings"]} >= {
        "majority",
        "balanced",
    }
    assert content["artefacts"]["chance"] == 0.5
    assert content["artefacts"]["classifiers"][0]["sees"] == "lengths"
    assert content["protocol"]["split"] == "kfold"
    assert set(content["reasons"]) == {"split", "grouped", "folds", "seeds", "valid_fraction"}
    assert content["smallest_difference"]["metric"] == "macro_f1"
    assert "majority" in content["approaches"]


@pytest.mark.parametrize("source", ["mood.csv", "mood.yaml"])
def test_a_study_file_is_written_that_can_be_planned_as_it_is(moods, textune, source):
    said = textune("check", source, "--study", "first/study.yaml")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("study file: first/study.yaml\nnext: textune plan first/study.yaml\n")
    (study,) = load_studies(Path("first/study.yaml"))
    assert len(make_plan(study).cells) == len(study.approaches) * 10
    planned = textune("plan", "first/study.yaml")
    assert (planned.code, planned.err) == (0, "")
    assert "impossible" not in planned.out


def test_a_file_of_pairs_that_share_questions_is_divided_by_them(moods, textune):
    (moods / "pairs.csv").write_text(PAIRS, encoding="utf-8")
    said = textune("check", "pairs.csv", "--study", "pairs.yaml", "--json")
    content = json.loads(said.out)
    assert content["protocol"]["grouped"] == "texts"
    assert content["study"] == "pairs.yaml"
    assert [blind["sees"] for blind in content["artefacts"]["classifiers"]] == [
        "lengths",
        "text 1",
        "text 2",
    ]
    (study,) = load_studies(Path("pairs.yaml"))
    assert study.protocol.grouped == "texts"
    assert not make_plan(study).impossible


def test_a_study_file_is_not_overwritten(moods, refused):
    words = ("check", "mood.csv", "--study", "study.yaml")
    refused(*words, error="study.yaml is there already", hint="name another file")


def test_data_that_no_protocol_divides_are_shown_but_make_no_study(moods, textune, refused):
    with (moods / "mood.csv").open("a") as handle:
        handle.write("odd,nobody knows how it was,unclear\n")
    said = textune("check", "mood.csv")
    assert said.code == 0
    assert (
        "problem  1 label with fewer than 5 examples, too few for 5 folds: unclear (1)" in said.out
    )
    assert "no protocol can be recommended\n  " in said.out
    content = json.loads(textune("check", "mood.csv", "--json").out)
    assert content["protocol"] is None
    assert "the label 'unclear' has 1 example" in content["no_protocol"]
    words = ("check", "mood.csv", "--study", "new.yaml")
    refused(*words, error="the label 'unclear' has 1 example", hint="merge or drop the label")


def test_what_models_would_cut_is_counted_for_each(moods, textune):
    from textune.testing import tiny_model_folder

    tiny_model_folder(moods / "model", (moods / "mood.csv").read_text().splitlines())
    with (moods / "mood.csv").open("a") as handle:
        handle.write(f"long,{'it was a nice and great day ' * 600},good\n")
    words = ("check", "mood.csv", "--model", "model", "--model", "./model")
    content = json.loads(textune(*words, "--json").out)
    assert list(content["audit"]["tokens"]) == ["model", "./model"]
    tokens = content["audit"]["tokens"]["model"]
    assert tokens["num_cut"] == 1
    assert tokens["lengths"]["median"] < tokens["room"] < tokens["lengths"]["maximum"]
    assert {"prompted": {"model": "./model"}, "label": "zero-shot, ./model"} in content[
        "approaches"
    ]
    out = textune(*words).out
    assert "tokens for  median" in out
    assert "warning  1 example is cut for model: longer than its" in out


def test_a_model_that_is_not_known_is_refused(moods, refused):
    words = ("check", "mood.csv", "--model", "smollm")
    refused(*words, error="unknown model 'smollm'", hint="allowed: ")
