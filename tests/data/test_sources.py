import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import ConfigError, DataError
from textune.data.examples import Example
from textune.data.readers.base import reader_for
from textune.data.sources import (
    Layout,
    column_names,
    content_id,
    iter_examples,
    read_examples,
)

PLAIN = Layout(text_columns=("text",))
NAMED = Layout(text_columns=("text",), id_column="id", labels=("yes", "no"))
PAIR = {
    "text_columns": ("question1", "question2"),
    "labels": ("duplicate", "different"),
    "values": {"1": "duplicate", "0": "different"},
}


def jsonl(folder: Path, *rows: object, name: str = "a.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def csv(folder: Path, text: str) -> Path:
    path = folder / "a.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("a.csv", "csv"),
        ("a.TSV.gz", "tsv"),
        ("a.b.jsonl.gz", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.json.gz", "json"),
        ("a.spacy", "docbin"),
        ("in/dataset_info.json#name", "dataset_info"),
        ("hub:owner/name#test", "hub"),
        ("a.parquet", "parquet"),
    ],
)
def test_the_reader_goes_by_the_ending(file, name):
    assert reader_for(Path(file)).name == name


def test_a_named_format_beats_the_ending():
    assert reader_for(Path("a.txt"), "tsv").name == "tsv"


def test_an_unknown_ending_gets_a_suggestion():
    with pytest.raises(DataError, match=r"unknown file ending '\.jsonlines'") as caught:
        reader_for(Path("a.jsonlines"))
    assert "did you mean '.jsonl'?" in caught.value.hint
    assert "parquet" in caught.value.hint


def test_an_unknown_format_gets_a_suggestion():
    with pytest.raises(ConfigError, match="unknown reader 'jsnl'") as caught:
        reader_for(Path("a.txt"), "jsnl")
    assert caught.value.hint == "did you mean 'jsonl'?"


def test_a_pair_is_read_with_its_values_mapped(tmp_path):
    rows = [
        {"qid": 7, "question1": "A?", "question2": "B?", "label": 1, "topic": "x"},
        {"qid": 8, "question1": "C?", "question2": "D?", "label": "different", "topic": None},
    ]
    layout = Layout(**PAIR, id_column="qid", group_column="topic")
    examples = read_examples(jsonl(tmp_path, *rows), layout)
    assert examples.rows == (
        Example("7", ("A?", "B?"), "duplicate", "x"),
        Example("8", ("C?", "D?"), "different", None),
    )
    assert examples.source == str(tmp_path / "a.jsonl")


def test_a_list_of_strings_is_joined_by_a_space(tmp_path):
    path = jsonl(tmp_path, {"text": ["One.", "Two."], "label": "x"}, {"text": ["a"], "label": "x"})
    assert [row.texts for row in read_examples(path, PLAIN)] == [("One. Two.",), ("a",)]


def test_lists_of_strings_are_read_from_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [["a", "b"], ["c"]], "label": ["x", "y"]}), path)
    assert [row.texts for row in read_examples(path, PLAIN)] == [("a b",), ("c",)]


REPORTS = Layout(text_columns=(("first", "second"), "claim"))


def test_a_text_of_several_columns_leaves_out_what_is_empty(tmp_path):
    rows = [
        {"first": ["a", "b"], "second": "c", "claim": "d", "label": "x"},
        {"first": "a", "second": None, "claim": "d", "label": "x"},
        {"first": [], "second": ["b"], "claim": "d", "label": "x"},
        {"first": " ", "second": "b", "claim": ["d", "e"], "label": "x"},
    ]
    examples = read_examples(jsonl(tmp_path, *rows), REPORTS)
    assert [row.texts for row in examples] == [
        ("a b c", "d"),
        ("a", "d"),
        ("b", "d"),
        ("b", "d e"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"first": None, "second": []}, "the text in the columns 'first' and 'second' is empty"),
        ({"first": "a", "second": 5}, "the column 'second' holds a value of type int, not text"),
        ({"first": "a"}, "no column 'second'"),
    ],
)
def test_a_text_of_several_columns_names_the_one_at_fault(tmp_path, row, message):
    good = {"first": "a", "second": "b", "claim": "c", "label": "x"}
    path = jsonl(tmp_path, good, {"claim": "c", "label": "x", **row})
    with pytest.raises(DataError) as caught:
        read_examples(path, REPORTS)
    assert caught.value.message.startswith(f"{path}, line 2: {message}")


def test_every_column_of_a_text_must_be_in_the_file(tmp_path):
    path = jsonl(tmp_path, {"first": "a", "claim": "c", "label": "x"})
    with pytest.raises(DataError, match=r"a\.jsonl has no column 'second'"):
        read_examples(path, REPORTS)


@pytest.mark.parametrize(
    ("value", "label"), [(1, "1"), (True, "true"), (0.5, "0.5"), (" a ", "a")]
)
def test_a_json_value_becomes_a_label_in_its_plain_form(tmp_path, value, label):
    path = jsonl(tmp_path, {"text": "t", "label": value})
    assert read_examples(path, PLAIN).answers == [label]


def test_without_answer_column_no_answer_is_read(tmp_path):
    path = jsonl(tmp_path, {"text": "t"}, {"text": "u", "label": "whatever"})
    layout = Layout(text_columns=("text",), answer_column=None, labels=("yes", "no"))
    assert [row.answer for row in read_examples(path, layout)] == [None, None]


def test_ids_from_the_content_do_not_depend_on_other_rows(tmp_path):
    texts = ["one", "two", "one", "three", "one"]
    rows = [{"text": text, "label": "x"} for text in texts]
    ids = [row.id for row in read_examples(jsonl(tmp_path, *rows), PLAIN)]
    one = content_id(("one",))
    assert ids == [one, content_id(("two",)), f"{one}-2", content_id(("three",)), f"{one}-3"]
    again = read_examples(jsonl(tmp_path, *reversed(rows)), PLAIN)
    assert {row.id: row.texts for row in again} == {
        name: (text,) for name, text in zip(ids, texts, strict=True)
    }


def test_content_ids_are_the_same_on_every_machine():
    assert content_id(("Is this a duplicate?", "Größe")) == "12233d718417b4d2"
    assert content_id(("ab", "c")) != content_id(("a", "bc"))


def test_a_missing_column_names_the_nearest_one(tmp_path):
    with pytest.raises(DataError, match=r"a\.csv has no column 'text'") as caught:
        read_examples(csv(tmp_path, "texts,label\na,b\n"), PLAIN)
    assert caught.value.hint == "did you mean 'texts'?"


@pytest.mark.parametrize(
    ("row", "message", "hint"),
    [
        ({"label": "yes", "id": "b"}, "no column 'text'", "allowed: id, label"),
        ({"text": " ", "label": "yes", "id": "b"}, "the text in the column 'text' is empty", ""),
        ({"text": None, "label": "yes", "id": "b"}, "the text in the column 'text' is empty", ""),
        (
            {"text": 5, "label": "yes", "id": "b"},
            "the column 'text' holds a value of type int, not text",
            "",
        ),
        (
            {"text": ["a", 5], "label": "yes", "id": "b"},
            "the column 'text' holds a list with a value of type int, not text",
            "a list of strings",
        ),
        ({"text": [], "label": "yes", "id": "b"}, "the text in the column 'text' is empty", ""),
        ({"text": ["a", "\ud800"], "label": "yes", "id": "b"}, "the column 'text' holds half", ""),
        ({"text": "\ud800", "label": "yes", "id": "b"}, "the column 'text' holds half of", ""),
        (
            {"text": "t", "label": "yess", "id": "b"},
            "unknown label 'yess' in the column 'label'",
            "did you mean 'yes'?",
        ),
        ({"text": "t", "label": "", "id": "b"}, "no answer: the column 'label' is empty", ""),
        ({"text": "t", "label": None, "id": "b"}, "no answer: the column 'label' is empty", ""),
        ({"text": "t", "label": float("nan"), "id": "b"}, "no answer: the column 'label'", ""),
        (
            {"text": "t", "label": {"a": 1}, "id": "b"},
            "the column 'label' holds a value of type dict",
            "",
        ),
        ({"text": "t", "label": "no", "id": "a"}, "the id 'a' is already that of line 1", ""),
        ({"text": "t", "label": "no", "id": ""}, "no id: the column 'id' is empty", ""),
    ],
)
def test_a_bad_row_is_named_with_its_fault(tmp_path, row, message, hint):
    good = {"text": "t", "label": "yes", "id": "a"}
    path = jsonl(tmp_path, good, row)
    with pytest.raises(DataError) as caught:
        read_examples(path, NAMED)
    assert caught.value.message.startswith(f"{path}, line 2: {message}")
    assert caught.value.hint
    assert hint in caught.value.hint


def test_the_first_fault_comes_with_the_number_of_others(tmp_path):
    path = csv(tmp_path, "text,label,id\na,maybe,1\n,yes,2\nc,yes,3\nd,yes,3\n")
    with pytest.raises(DataError, match=r"line 2: unknown label 'maybe'.* \(2 more bad rows\)"):
        read_examples(path, NAMED)


def test_a_fault_of_the_file_does_not_hide_an_earlier_bad_row(tmp_path):
    path = csv(tmp_path, "text,label,id\na,maybe,1\na,yes\n")
    with pytest.raises(DataError, match="line 2: unknown label 'maybe'"):
        read_examples(path, NAMED)


@pytest.mark.parametrize("content", ["", "\n\n", "text,label\n"])
def test_a_file_without_rows_is_refused(tmp_path, content):
    path = csv(tmp_path, content)
    with pytest.raises(DataError, match="holds no rows"):
        read_examples(path, PLAIN)
    with pytest.raises(DataError, match="holds no rows"):
        column_names(path)


def test_parquet_faults_name_the_row(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, None]}), path)
    with pytest.raises(DataError, match=r"a\.parquet, row 2: no answer"):
        read_examples(path, PLAIN)


def test_streaming_gives_what_reading_gives_and_stops_at_the_first_fault(tmp_path):
    rows = [{"text": text, "label": "x"} for text in ("a", "b", "a")]
    path = jsonl(tmp_path, *rows)
    assert tuple(iter_examples(path, PLAIN)) == read_examples(path, PLAIN).rows
    stream = iter_examples(jsonl(tmp_path, rows[0], {"text": "", "label": "x"}), PLAIN)
    assert next(stream).texts == ("a",)
    with pytest.raises(DataError, match="line 2"):
        next(stream)


def test_column_names_are_those_of_the_first_row(tmp_path):
    assert column_names(csv(tmp_path, "text, label\na,b\n")) == ["text", "label"]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20))
def test_ids_are_unique(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("ids")
    path = jsonl(folder, *({"text": text, "label": "x"} for text in texts))
    ids = [row.id for row in read_examples(path, PLAIN)]
    assert len(set(ids)) == len(texts)


PAIR_OF_SENTENCES = ("sentence1", "sentence2")


@pytest.mark.parametrize(
    ("file", "texts", "counts"),
    [
        ("scicite/train", ("text",), {"background": 4297, "method": 2038, "result": 985}),
        ("scicite/dev", ("text",), {"background": 538, "method": 255, "result": 123}),
        ("qqp/train", ("question1", "question2"), {"0": 11395, "1": 6421}),
        ("qqp/dev", ("question1", "question2"), {"1": 4963, "0": 4932}),
        (
            "acl_arc/train",
            ("text",),
            {
                "Background": 795,
                "Uses": 313,
                "CompareOrContrast": 291,
                "Motivation": 71,
                "Extends": 61,
                "Future": 57,
            },
        ),
        (
            "acl_arc/dev",
            ("text",),
            {
                "Background": 51,
                "CompareOrContrast": 21,
                "Uses": 21,
                "Motivation": 5,
                "Future": 4,
                "Extends": 4,
            },
        ),
        ("glue_rte/train", PAIR_OF_SENTENCES, {"entailment": 1078, "not_entailment": 1049}),
        ("glue_rte/dev", PAIR_OF_SENTENCES, {"not_entailment": 192, "entailment": 171}),
        ("glue_cola/train", ("text",), {"1": 5077, "0": 2161}),
        ("glue_mrpc/train", PAIR_OF_SENTENCES, {"1": 2350, "0": 1111}),
        ("glue_sst2/train", ("text",), {"1": 3240, "0": 2986}),
        (
            "glue_mnli/train",
            PAIR_OF_SENTENCES,
            {"entailment": 2696, "neutral": 2655, "contradiction": 2610},
        ),
    ],
)
def test_real_files_read_with_the_published_counts(real_data, file, texts, counts):
    layout = Layout(text_columns=texts, id_column="id", labels=tuple(counts))
    examples = read_examples(real_data / f"{file}.jsonl.gz", layout)
    assert Counter(examples.answers) == counts
    assert len({row.id for row in examples}) == len(examples)
