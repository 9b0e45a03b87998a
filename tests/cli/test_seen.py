"""What a model has seen of the test data, before anything is spent."""

import json

QUORA = "quora duplicate questions"
WHY = f"nearest: all-minilm-l6-v2 was trained on {QUORA}"


def with_corpora(moods):
    with (moods / "mood.yaml").open("a") as handle:
        handle.write(f"corpora: [{QUORA}]\n")
    text = (moods / "study.yaml").read_text().replace("tfidf", "nearest")
    (moods / "study.yaml").write_text(text)


def test_a_plan_says_what_may_have_seen_the_test_data(moods, textune):
    with_corpora(moods)
    said = textune("plan", "study.yaml")
    assert said.code == 0
    assert f"may have seen the test data: {WHY}\n" in said.out
    content = json.loads(textune("plan", "study.yaml", "--json").out)
    assert content["may_have_seen"] == {"nearest": WHY.removeprefix("nearest: ")}


def test_a_check_says_it_of_the_approaches_that_it_proposes(moods, textune):
    with_corpora(moods)
    said = textune("check", "mood.yaml", "--study", "new.yaml")
    why = f"all-minilm-l6-v2 was trained on {QUORA}"
    assert f"may have seen the test data: nearest, encoder: {why}\n" in said.out
    assert f"  # a frozen sentence encoder; may have seen the test data: {why}\n" in (
        moods / "new.yaml"
    ).read_text(encoding="utf-8")
    content = json.loads(textune("check", "mood.yaml", "--json").out)
    assert content["may_have_seen"] == [f"nearest, encoder: {why}"]


def test_nothing_is_said_where_nothing_is_known(moods, textune):
    assert "may have seen" not in textune("plan", "study.yaml").out
    assert json.loads(textune("plan", "study.yaml", "--json").out)["may_have_seen"] == {}
    assert "may have seen" not in textune("check", "mood.csv").out
