import json

import pytest

from textune.core.errors import ConfigError, DataError
from textune.data.audit import audit
from textune.data.entities import read_entities
from textune.study.plan import make_plan
from textune.study.spec import build_study
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset, task_from_file

TASK = {
    "name": "places",
    "kind": "extract",
    "instruction": "List the places.",
    "labels": {"City": "a city", "River": "a river"},
    "data": {"train": "places.jsonl", "columns": {"text": "text", "answer": "entities"}},
}
ROWS = [
    {"text": "Bonn on the Rhine.", "entities": [[0, 4, "City"], [12, 17, "River"]]},
    {"text": "Nothing here.", "entities": []},
    {"text": "See Ulm.", "entities": [{"start": 4, "end": 7, "label": "City"}]},
    {"text": "The Elbe.", "entities": json.dumps([[4, 8, "River"]])},
    {"text": "Nor here.", "entities": None},
]


@pytest.fixture
def task_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def make(*rows, **changes):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "places.jsonl").write_text(lines, encoding="utf-8")
        return load_task({**TASK, **changes})

    return make


def test_entities_are_read_in_every_form_that_a_cell_may_have(task_of):
    rows = load_dataset(task_of(*ROWS)).train
    found = [[(e.surface, e.type) for e in read_entities(row.answer)] for row in rows]
    assert found == [
        [("Bonn", "City"), ("Rhine", "River")],
        [],
        [("Ulm", "City")],
        [("Elbe", "River")],
        [],
    ]


def test_raw_types_may_be_renamed(task_of):
    data = {**TASK["data"], "values": {"GPE": "City"}}
    row = {"text": "See Ulm.", "entities": [[4, 7, "GPE"]]}
    (example,) = load_dataset(task_of(row, data=data)).train
    assert [e.type for e in read_entities(example.answer)] == ["City"]


@pytest.mark.parametrize(
    ("entities", "error"),
    [
        ([[0, 99, "City"]], "line 2: an entity from 0 to 99 in a text of 8 characters"),
        ([[4, 4, "City"]], "line 2: an entity from 4 to 4"),
        ([[4, 7, "Citty"]], "line 2: unknown label 'Citty' in the column 'entities'"),
        ([[4, 7]], "line 2: the column 'entities' lists no entities"),
        ([["4", 7, "City"]], "line 2: the column 'entities' lists no entities"),
        ([{"start": 4, "end": 7}], "line 2: the column 'entities' lists no entities"),
        ("Ulm", "line 2: the column 'entities' lists no entities"),
        (3, "line 2: the column 'entities' lists no entities"),
        ([[True, 7, "City"]], "line 2: the column 'entities' lists no entities"),
    ],
)
def test_a_broken_list_of_entities_names_the_line(task_of, entities, error):
    task = task_of(ROWS[0], {"text": "See Ulm.", "entities": entities})
    with pytest.raises(DataError, match=error):
        load_dataset(task)


def test_one_type_is_enough_and_none_is_not(task_of):
    assert task_of(labels={"City": ""}).labels == {"City": ""}
    with pytest.raises(ConfigError, match="needs at least one label"):
        task_of(labels={})


def test_the_audit_counts_entities_by_type(task_of):
    task = task_of(*ROWS)
    train = load_dataset(task).train
    found = audit(train, None, labels=list(task.labels), labels_in=task.kind.labels_in, folds=3)
    assert found.parts[0].labels == {"City": 2, "River": 2}
    rare = next(finding for finding in found.findings if finding.name == "rare label")
    assert "City (2), River (2)" in rare.message


def test_what_no_approach_can_do_is_said_in_the_plan(task_of, tmp_path):
    rows = [{**ROWS[0], "text": f"{ROWS[0]['text']} {i}"} for i in range(6)]
    rows += [{"text": f"Nothing {i}.", "entities": []} for i in range(4)]
    task_of(*rows)
    study = {
        "name": "s",
        "task": TASK,
        "protocol": {"split": "kfold", "folds": 2},
        "approaches": ["majority"],
    }
    plan = make_plan(build_study(study, where="test", beside=tmp_path))
    assert plan.cells == ()
    assert "majority cannot do tasks of kind extract" in str(plan.impossible["majority"])


def test_a_file_with_entities_makes_a_task(tmp_path):
    path = tmp_path / "drugs.conll"
    path.write_text("a B-Drug\nb O\n\nc B-Dose\n\nd B-Drug\n", encoding="utf-8")
    task = task_from_file(path)
    assert (task.name, task.kind.name, list(task.labels)) == ("drugs", "extract", ["Drug", "Dose"])
    assert len(load_dataset(task).train) == 3
    path.write_text("a O\nb O\n", encoding="utf-8")
    with pytest.raises(DataError, match="'entities' is empty in every row"):
        task_from_file(path)
