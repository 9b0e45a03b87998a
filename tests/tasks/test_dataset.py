import json
from pathlib import Path

import pytest

from textune.core.config import plain
from textune.core.errors import ConfigError, DataError
from textune.data.examples import Example
from textune.tasks.base import Columns, DataSpec, TaskSpec, load_task
from textune.tasks.dataset import layout_of, load_dataset, task_from_file
from textune.tasks.kinds.classify import Classify


def written(folder: Path, name: str, *rows: dict[str, object]) -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def task(train: str, test: str | None = None, *, id: str | None = None) -> TaskSpec:
    data = DataSpec(train=train, test=test, columns=Columns(id=id), values={"1": "yes"})
    return TaskSpec(
        name="toy",
        kind=Classify(),
        instruction="Decide.",
        labels={"yes": "", "no": ""},
        data=data,
    )


ROWS = (
    {"id": "a", "text": "first", "label": 1},
    {"id": "b", "text": "second", "label": "no"},
)


def test_a_task_without_test_file_has_no_test_part(tmp_path):
    dataset = load_dataset(task(written(tmp_path, "train.jsonl", *ROWS), id="id"))
    assert dataset.test is None
    assert dataset.train.rows == (
        Example("a", ("first",), "yes"),
        Example("b", ("second",), "no"),
    )


def test_a_leak_stays_in_both_parts(tmp_path):
    train = written(tmp_path, "train.jsonl", *ROWS)
    test = written(tmp_path, "test.jsonl", ROWS[0])
    for column in (None, "id"):
        dataset = load_dataset(task(train, test, id=column))
        assert dataset.test is not None
        assert dataset.test.rows[0] == dataset.train.rows[0]


def test_one_id_for_two_examples_is_refused(tmp_path):
    train = written(tmp_path, "train.jsonl", *ROWS)
    test = written(tmp_path, "test.jsonl", {"id": "a", "text": "another", "label": "no"})
    with pytest.raises(DataError, match="the id 'a' names different examples"):
        load_dataset(task(train, test, id="id"))
    assert load_dataset(task(train, test)).test is not None


def test_a_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load_dataset(task("sets/train.jsonl"))
    assert str(tmp_path / "sets" / "train.jsonl") in caught.value.message
    assert "TEXTUNE_DATA" in caught.value.hint


def test_the_data_folder_comes_from_the_environment(tmp_path, monkeypatch):
    written(tmp_path, "train.jsonl", *ROWS)
    monkeypatch.setenv("TEXTUNE_DATA", str(tmp_path))
    assert len(load_dataset(task("train.jsonl")).train) == 2


def test_files_to_predict_need_no_answers(tmp_path):
    assert layout_of(task("x"), with_answers=False).answer_column is None
    assert layout_of(task("x")).labels == ("yes", "no")


def test_the_sample_of_question_pairs_loads():
    dataset = load_dataset(load_task("questions-sample"))
    assert set(dataset.train.answers) == {"duplicate", "different"}
    assert all(row.group for row in dataset.train)


REPORT_TASK = """\
name: reports
kind: pair
instruction: Decide.
labels: {"yes": "", "no": ""}
positive: "yes"
data: {train: a.jsonl, columns: {text: [[first, second], claim]}}
"""


def test_a_task_file_can_make_one_text_of_several_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTUNE_DATA", str(tmp_path))
    written(
        tmp_path, "a.jsonl", {"first": ["a", "b"], "second": None, "claim": "c", "label": "no"}
    )
    (tmp_path / "reports.yaml").write_text(REPORT_TASK, encoding="utf-8")
    loaded = load_task("reports.yaml", beside=tmp_path)
    assert loaded.text_columns == (("first", "second"), "claim")
    assert load_dataset(loaded).train.rows[0].texts == ("a b", "c")
    assert load_task(plain(loaded)) == loaded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[], claim]", "a text without columns"),
        ("[[first, second]]", "needs 2 text column"),
        ("[[first, [second]], claim]", "cannot be"),
    ],
)
def test_text_columns_of_another_form_are_refused(tmp_path, text, message):
    content = REPORT_TASK.replace("[[first, second], claim]", text)
    (tmp_path / "reports.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_task("reports.yaml", beside=tmp_path)


def test_a_column_of_lists_makes_a_task_out_of_a_file(tmp_path):
    rows = ({"text": ["a", "b"], "label": "x"}, {"text": ["c"], "label": "y"})
    found = task_from_file(Path(written(tmp_path, "a.jsonl", *rows)))
    assert [row.texts for row in load_dataset(found).train] == [("a b",), ("c",)]


def test_a_file_becomes_a_classify_task_with_labels_by_frequency(tmp_path):
    path = tmp_path / "mails.v2.csv"
    path.write_text("Sentence,INTENT\na,buy\nb,sell\nc,sell\n", encoding="utf-8")
    found = task_from_file(path)
    assert found.name == "mails"
    assert found.kind.name == "classify"
    assert list(found.labels) == ["sell", "buy"]
    assert found.text_columns == ("Sentence",)
    assert load_dataset(found).train.answers == ["buy", "sell", "sell"]


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        ("001", "1"),
        ("110", "1"),
        (["same", "other", "other"], "same"),
        (["No", "No", "Yes"], "Yes"),
    ],
)
def test_a_pair_file_gets_the_label_that_means_yes_as_positive(tmp_path, labels, positive):
    path = tmp_path / "pairs.tsv"
    lines = [f"a{number}\tb\t{label}" for number, label in enumerate(labels)]
    path.write_text("\n".join(["premise\thypothesis\tlabel", *lines]), encoding="utf-8")
    found = task_from_file(path)
    assert found.kind.name == "pair"
    assert found.text_columns == ("premise", "hypothesis")
    assert found.positive == positive


def test_named_columns_are_taken_even_with_a_comma_in_them(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('"x,y",x,y,who,key,l\na,b,c,d,1,m\na,b,c,d,2,n\n', encoding="utf-8")
    named = {"answer": "l", "id": "key", "group": "who"}
    assert task_from_file(path, text="x,y", **named).text_columns == ("x,y",)
    found = task_from_file(path, text="x, who", answer="l", id="key")
    assert found.text_columns == ("x", "who")
    assert found.data.columns.id == "key"


@pytest.mark.parametrize(
    ("header", "options", "message", "hint"),
    [
        ("body,label", {}, "no column looks like the text: body, label", "name the text column"),
        ("text,sentence,label", {}, "several columns may be the text: text, sentence", "name the"),
        ("text,label,intent", {}, "several columns may be the answer: label, intent", "name the"),
        ("text,kind", {}, "no column looks like the answer", "name the answer column"),
        ("text,label", {"text": "texx"}, "has no column 'texx'", "did you mean 'text'?"),
        ("text,label", {"answer": "lable"}, "has no column 'lable'", "did you mean 'label'?"),
        ("a,b,c,label", {"text": "a,b,c"}, "3 text columns", "two for a pair"),
    ],
)
def test_columns_that_cannot_be_told_are_asked_for(tmp_path, header, options, message, hint):
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n{','.join('x' * len(header.split(',')))}\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        task_from_file(path, **options)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_column_of_free_text_is_no_label(tmp_path):
    path = written(tmp_path, "a.jsonl", *({"text": "t", "label": f"l{n}"} for n in range(30)))
    with pytest.raises(DataError, match="30 different values in 30 rows: these are no labels"):
        task_from_file(Path(path))


def test_a_file_with_one_label_makes_no_task(tmp_path):
    path = written(tmp_path, "a.jsonl", {"text": "t", "label": "x"})
    with pytest.raises(ConfigError, match="needs at least two labels"):
        task_from_file(Path(path))
