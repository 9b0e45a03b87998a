import contextlib
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.errors import DataError
from textune.data.readers.base import REGISTRY


def rows(path: Path, name: str) -> list[tuple[int, dict[str, object]]]:
    return [(number, dict(row)) for number, row in REGISTRY.get(name)().rows(path)]


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def test_the_built_in_readers_are_those_of_the_folder():
    assert {"csv", "jsonl", "parquet", "tsv"} <= set(REGISTRY.names())


def test_csv_gives_the_physical_line_of_each_row(tmp_path):
    path = written(tmp_path, "a.csv", b'text,label\n"one\ntwo",x\n\nthree,y\r\n')
    assert rows(path, "csv") == [
        (2, {"text": "one\ntwo", "label": "x"}),
        (5, {"text": "three", "label": "y"}),
    ]


def test_tsv_reads_the_quoted_fields_of_the_quora_release(tmp_path):
    content = (
        b'"id"\t"qid1"\t"qid2"\t"question1"\t"question2"\t"is_duplicate"\n'
        b'"0"\t"1"\t"2"\t"What is ""it""?"\t"Tab\there\nand a line"\t"0"\n'
    )
    ((number, row),) = rows(written(tmp_path, "q.tsv", content), "tsv")
    assert number == 2
    assert row["question1"] == 'What is "it"?'
    assert row["question2"] == "Tab\there\nand a line"
    assert row["is_duplicate"] == "0"


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    path = written(tmp_path, "a.csv", "text,label\né,x\n".encode("utf-8-sig"))
    assert rows(path, "csv") == [(2, {"text": "é", "label": "x"})]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.CSV.GZ"])
def test_gzipped_text_reads_like_plain_text(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(b"text\nhello\n"))
    assert rows(path, "csv") == [(2, {"text": "hello"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"text,label\na,b,c\n", "line 2: 3 fields, but the header names 2"),
        (b'text,label\n"a\nb",x\nc\n', "line 4: 1 fields, but the header names 2"),
        (b"text,label,text\n", "line 1: the header names the column 'text' twice"),
        (b'text,label\n"a" b,x\n', "line 2: ',' expected after '\"'"),
        (b'text,label\na,x\n"never closed,y\nb,z\n', "line 3: unexpected end of data"),
        (b"text,label\na,x\nb\0c,y\n", "line 3: holds a NUL byte"),
        ("text,label\na,x\né,y\n".encode("latin-1"), "line 3: not UTF-8 (byte 0xe9)"),
        ("text,label\n".encode("utf-16"), "line 1: holds a NUL byte"),
        (b"text,label\n" + b"a" * 200_000 + b",x\n", "line 2: field larger than field limit"),
    ],
)
def test_csv_names_the_line_that_it_refuses(tmp_path, content, message):
    path = written(tmp_path, "bad.csv", content)
    with pytest.raises(DataError) as caught:
        rows(path, "csv")
    assert caught.value.message.startswith(f"{path}, {message}")
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_not_utf8_is_answered_with_the_remedy(tmp_path):
    path = written(tmp_path, "bad.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n')
    with pytest.raises(DataError, match="line 2: not UTF-8") as caught:
        rows(path, "jsonl")
    assert caught.value.hint == "save the file as UTF-8"


def test_jsonl_gives_values_as_json_has_them_and_skips_blank_lines(tmp_path):
    path = written(tmp_path, "a.jsonl", b'{"a": 1, "b": [true]}\n\n{"a": null}\n')
    assert rows(path, "jsonl") == [(1, {"a": 1, "b": [True]}), (3, {"a": None})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{'a': 1}", "not JSON: Expecting property name enclosed in double quotes at column 2"),
        (b'[{"a": 1}]', "expected a JSON object, found a list"),
        (b"[" * 200_000, "unreadable JSON: "),
        (b'{"a": ' + b"9" * 5000 + b"}", "unreadable JSON: "),
    ],
)
def test_jsonl_names_the_line_that_is_no_object(tmp_path, line, message):
    path = written(tmp_path, "bad.jsonl", b'{"a": 1}\n' + line + b"\n")
    with pytest.raises(DataError) as caught:
        rows(path, "jsonl")
    assert caught.value.message.startswith(f"{path}, line 2: {message}")


def test_a_line_separator_inside_json_ends_no_line(tmp_path):
    path = written(tmp_path, "a.jsonl", '{"a": "x\u2028y\x85z"}\n'.encode())
    assert rows(path, "jsonl") == [(1, {"a": "x\u2028y\x85z"})]


def test_a_cut_off_gzip_file_is_a_clear_error(tmp_path):
    content = b"".join(b'{"text": "%d"}\n' % number for number in range(100_000))
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(content)[:-1000])
    with pytest.raises(DataError, match="damaged gzip file, readable up to line") as caught:
        rows(path, "jsonl")
    assert "cut off" in caught.value.hint


@pytest.mark.parametrize("content", [b"text\nno gzip at all\n", b"\x1f\x8b\x08\x00broken-header"])
def test_what_is_no_gzip_file_is_a_clear_error(tmp_path, content):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged gzip file"):
        rows(path, "csv")


@pytest.mark.parametrize("name", ["csv", "tsv", "jsonl", "parquet"])
def test_a_missing_file_or_a_folder_is_a_data_error(tmp_path, name):
    with pytest.raises(DataError, match="no such file"):
        rows(tmp_path / "absent", name)
    with pytest.raises(DataError, match="cannot read"):
        rows(tmp_path, name)


def test_parquet_counts_rows_across_batches(tmp_path, monkeypatch):
    monkeypatch.setattr("textune.data.readers.parquet.BATCH_ROWS", 2)
    path = tmp_path / "a.parquet"
    labels = pa.array(["x", "y", "x", None, "y"]).dictionary_encode()
    pq.write_table(pa.table({"n": [1, 2, 3, 4, 5], "label": labels}), path, row_group_size=3)
    found = rows(path, "parquet")
    assert [number for number, _ in found] == [1, 2, 3, 4, 5]
    assert [row["label"] for _, row in found] == ["x", "y", "x", None, "y"]


def test_damaged_parquet_is_a_clear_error(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 this is not parquet PAR1")
    with pytest.raises(DataError, match="no Parquet file, or damaged"):
        rows(path, "parquet")


def test_a_damaged_page_of_parquet_is_a_clear_error(tmp_path):
    path = tmp_path / "a.parquet"
    texts = [f"text {number}" for number in range(5000)]
    pq.write_table(pa.table({"text": texts}), path, use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[1000:3000] = b"\xff" * 2000
    path.write_bytes(content)
    with pytest.raises(DataError, match="no Parquet file, or damaged"):
        rows(path, "parquet")


def test_parquet_refuses_a_column_that_comes_twice(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([["a"], ["b"]], names=["text", "text"]), path)
    with pytest.raises(DataError, match="'text' comes twice"):
        rows(path, "parquet")


@given(content=st.binary(max_size=200), name=st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
def test_any_bytes_are_read_or_refused_with_a_data_error(tmp_path_factory, content, name):
    path = tmp_path_factory.mktemp("bytes") / "file"
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        assert all(number > 0 for number, _ in rows(path, name))
