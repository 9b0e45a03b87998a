import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import ConfigError, DataError
from textune.data.label_sets import read_labels, write_labels
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset

LABELS = {"a": "first", "b": "", "c": ""}
TASK = {
    "name": "several",
    "kind": "multilabel",
    "instruction": "Which apply?",
    "labels": LABELS,
    "answers": {"c": "see"},
    "data": {"train": "x.jsonl"},
}


@pytest.fixture
def task_with(tmp_path):
    def make(*cells, **changes):
        rows = [{"text": f"text {i}", "label": cell} for i, cell in enumerate(cells)]
        (tmp_path / "x.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
        return load_task({**TASK, "data": {"train": str(tmp_path / "x.jsonl")}, **changes})

    return make


def test_labels_are_read_from_lists_json_and_names_with_semicolons(task_with):
    task = task_with(["b", "a"], '["c"]', "c; a;", "", None, [], "b")
    named = [read_labels(answer) for answer in load_dataset(task).train.answers]
    assert named == [("a", "b"), ("c",), ("a", "c"), (), (), (), ("b",)]
    assert task.primary_metric == "macro_f1"


@pytest.mark.parametrize("cell", [["a", "d"], "a; d", 3, [1], {"a": 1}, '["a"'])
def test_what_lists_no_known_labels_is_refused_with_its_line(task_with, cell):
    with pytest.raises(DataError, match=r"x\.jsonl, line 2: .*(unknown label|lists no labels)"):
        load_dataset(task_with(["a"], cell))


@given(st.sets(st.sampled_from(sorted(LABELS))))
def test_what_is_written_is_read_again(named):
    task = load_task(TASK)
    kind, answer = task.kind, write_labels(named)
    written = kind.written(answer, task.words)
    assert kind.read(written, None, task.words) == answer
    assert kind.labels_in(answer) == tuple(sorted(named))


def test_lines_stand_in_the_tasks_order():
    task = load_task({**TASK, "labels": {"c": "", "a": "", "b": ""}})
    assert task.kind.written('["a", "c"]', task.words) == "see\na"
    assert task.kind.written("[]", task.words) == "none"


def test_what_names_no_label_cannot_be_read():
    task = load_task(TASK)
    assert task.kind.read("perhaps a?", None, task.words) is None
    assert task.kind.read("A\nnonsense", None, task.words) == '["a"]'


def test_scores_of_a_half_and_more_are_answers():
    kind = load_task(TASK).kind
    assert kind.answer_from([0.5, 0.49, 0.9], ["a", "b", "c"]) == '["a", "c"]'


def test_a_positive_label_makes_no_sense():
    with pytest.raises(ConfigError, match=r"several labels have no positive one"):
        load_task({**TASK, "positive": "a"})
