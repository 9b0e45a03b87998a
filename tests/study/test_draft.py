from dataclasses import replace
from pathlib import Path

import pytest

from textune.core.config import parse_yaml
from textune.data.audit import audit
from textune.study.draft import candidates, flow, said, study_text
from textune.study.plan import make_plan
from textune.study.protocol import recommend
from textune.study.spec import build_study
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset, task_from_file


def looked(task):
    dataset = load_dataset(task)
    found = audit(
        dataset.train, dataset.test, labels=list(task.labels), labels_in=task.kind.labels_in
    )
    return dataset, found


def drafted(task, reference, **models):
    dataset, found = looked(task)
    approaches = candidates(task, found, **models)
    result = recommend(task, dataset, found, approach=approaches[0].approach)
    text = study_text(task, reference, result, approaches)
    return result, build_study(parse_yaml(text, where="draft"), where="draft", beside=Path()), text


@pytest.mark.parametrize("name", ["citation-sample", "questions-sample"])
def test_a_draft_of_a_sample_task_is_a_study_that_can_be_planned(name):
    result, study, text = drafted(load_task(name), name)
    assert (study.name, study.task.name, study.protocol) == (name, name, result.protocol)
    plan = make_plan(study)
    assert not plan.impossible
    assert len(plan.cells) == len(study.approaches) * result.protocol.folds
    assert f"\ntask: {name}\n" in text
    for setting in result.settings:
        assert f"  # {setting.reason}\n  {setting.key}: {flow(setting.value)}\n" in text


def test_a_draft_of_a_file_writes_its_task_out(moods):
    task = task_from_file(Path("mood.csv"))
    _, study, text = drafted(task, None)
    assert study.task == task
    assert "citation" not in text, "what is as by default is left out"


def test_models_that_are_named_are_those_that_are_compared(moods):
    task = load_task("mood.yaml", beside=Path())
    _, one, _ = drafted(task, "mood.yaml", causal=["smollm2-135m-instruct"])
    assert {"majority", "tfidf", "zero-shot", "4-shot", "lora", "qlora"} <= set(one.approaches)
    _, two, _ = drafted(task, "mood.yaml", causal=["smollm2-135m-instruct", "owner/other"])
    assert {a.base for a in two.approaches.values()} >= {"smollm2-135m-instruct", "owner/other"}
    assert "lora, owner/other" in two.approaches


def test_demonstrations_are_left_out_where_they_are_long_or_too_few():
    task = load_task("citation-sample")
    _, found = looked(task)
    (part,) = found.parts

    def shots(**changes):
        parts = (replace(part, **changes),)
        entries = [each.entry for each in candidates(task, replace(found, parts=parts))]
        return [entry for entry in entries if isinstance(entry, dict) and "prompted" in entry]

    assert shots() == [{"prompted": {"shots": 6}}]
    assert shots(words=replace(part.words, p95=200)) == []
    assert shots(labels={**part.labels, "result": 3}) == []


def test_only_approaches_that_do_the_kind_of_task_are_taken(moods):
    task = replace(load_task("citation-sample"), kind=load_task("scierc").kind)
    _, found = looked(load_task("citation-sample"))
    entries = [each.entry for each in candidates(task, found)]
    assert "encoder" in entries
    assert not {"majority", "tfidf", "nearest"} & {str(entry) for entry in entries}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("lora", "lora"),
        ("null", '"null"'),
        ("owner/name", '"owner/name"'),
        ("7", '"7"'),
        (True, "true"),
        ([0, 1], "[0, 1]"),
        ({"tuned": {"method": "lora"}}, "{tuned: {method: lora}}"),
    ],
)
def test_values_are_written_on_one_line_and_read_back(value, text):
    assert flow(value) == text
    assert parse_yaml(f"key: {text}", where="line") == {"key": value}


def test_a_description_says_what_is_not_as_by_default():
    content = said(load_task("questions-sample"))
    assert said(load_task("citation-sample"))["kind"] == "classify"
    assert content["data"]["columns"]["group"] == "group"
    assert not {"test", "format"} & set(content["data"])
