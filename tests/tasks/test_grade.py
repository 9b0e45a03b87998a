import json

import pytest

from textune.core.errors import ConfigError, DataError
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset

TASK = {
    "name": "alike",
    "kind": "grade",
    "instruction": "How alike are they?",
    "labels": {"0": "not", "1": "somewhat", "2": "very"},
    "data": {"train": "pairs.jsonl", "columns": {"text": ["a", "b"], "answer": "grade"}},
}


@pytest.fixture
def task_with(tmp_path):
    def make(*grades, **changes):
        rows = [{"a": f"a{i}", "b": "b", "grade": g} for i, g in enumerate(grades)]
        (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        data = {**TASK["data"], "train": str(tmp_path / "pairs.jsonl")}
        return load_task({**TASK, "data": data, **changes})

    return make


def test_numbers_are_read_as_written_and_stand_for_the_nearest_label(task_with):
    task = task_with(0, 0.5, 1.49, 1.5, 2.0, "0.25")
    rows = load_dataset(task).train
    assert rows.answers == ["0", "0.5", "1.49", "1.5", "2", "0.25"]
    assert task.labels_of(rows) == ["0", "1", "1", "2", "2", "0"]
    assert task.primary_metric == "pearson"


@pytest.mark.parametrize("grade", [-0.1, 2.01, "many", "NaN", "inf"])
def test_what_is_not_on_the_scale_is_refused_with_its_line(task_with, grade):
    with pytest.raises(DataError, match=r"pairs\.jsonl, line 2: .* is no number from 0 to 2"):
        load_dataset(task_with(1, grade))


def test_the_answer_is_the_expected_number(task_with):
    kind = task_with(1).kind
    assert kind.answer_from([0.25, 0.5, 0.25], ["0", "1", "2"]) == "1.000"
    assert kind.answer_from([0.0, 0.2, 0.8], ["0", "1", "2"]) == "1.800"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": {"low": "", "high": ""}}, "whole numbers"),
        ({"labels": {"0": "", "2": ""}}, "without gaps"),
        ({"labels": {"1": "", "0": ""}}, "in order"),
        ({"positive": "2"}, "no positive label"),
    ],
)
def test_a_scale_that_is_none_is_refused(task_with, changes, problem):
    with pytest.raises(ConfigError, match=problem):
        task_with(1, **changes)


def test_right_and_wrong_are_told_apart_by_the_nearest_label(task_with):
    kind = task_with(1).kind
    assert kind.is_right("1.4", "0.6")
    assert not kind.is_right("1.6", "1.4")
    assert not kind.is_right(None, "1")


@pytest.mark.parametrize(
    ("name", "train", "test", "low", "high"),
    [("glue_stsb", 4672, 510, 0, 5), ("sick_relatedness", 4395, 489, 1, 5)],
)
def test_the_graded_sets_of_the_library_are_read_whole(
    real_data, monkeypatch, name, train, test, low, high
):
    monkeypatch.setenv("TEXTUNE_DATA", str(real_data))
    task = load_task(name)
    data = load_dataset(task)
    assert (len(data.train), len(data.test)) == (train, test)
    numbers = [float(answer) for answer in (*data.train.answers, *data.test.answers)]
    assert low <= min(numbers) < low + 0.5
    assert max(numbers) == high
    assert list(task.labels) == [str(n) for n in range(low, high + 1)]
