"""Submissions to the GLUE benchmark."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textune.core.errors import ConfigError, DataError
from textune.exchange.glue import PARTS, write_submission

SIZES = {
    "AX": 1104,
    "CoLA": 1063,
    "MNLI-m": 9796,
    "MNLI-mm": 9847,
    "MRPC": 1725,
    "QNLI": 5463,
    "QQP": 390_965,
    "RTE": 3000,
    "SST-2": 1821,
    "STS-B": 1379,
    "WNLI": 146,
}


def labelled(folder, answers, ids=None, name="labelled.csv"):
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "score:0"])
        for place, label in enumerate(answers):
            writer.writerow([ids[place] if ids else f"x{place}", label, ""])
    return path


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_the_parts_have_the_sizes_of_the_benchmark():
    assert {name: part.size for name, part in PARTS.items()} == SIZES


def test_labels_of_a_task_become_the_words_of_the_server(tmp_path):
    answers = ["acceptable", "unacceptable", *["acceptable"] * 1061]
    values = {"1": "acceptable", "0": "unacceptable"}
    path, number = write_submission("CoLA", labelled(tmp_path, answers), tmp_path / "out", values)
    assert (path, number) == (tmp_path / "out" / "CoLA.tsv", 1063)
    assert lines(path)[:3] == ["index\tprediction", "0\t1", "1\t0"]
    assert lines(path)[-1] == "1062\t1"


def test_words_of_the_server_stay(tmp_path):
    answers = ["not_entailment", "entailment"] * 1500
    path, _ = write_submission("RTE", labelled(tmp_path, answers), tmp_path, {})
    assert lines(path)[:3] == ["index\tprediction", "0\tnot_entailment", "1\tentailment"]


def test_scores_are_written_as_numbers(tmp_path):
    path, _ = write_submission("STS-B", labelled(tmp_path, ["3.25", *["5"] * 1378]), tmp_path, {})
    assert lines(path)[1:3] == ["0\t3.250", "1\t5.000"]


def test_ids_that_are_indices_say_the_order(tmp_path):
    ids = list(range(146))[::-1]
    path, _ = write_submission("WNLI", labelled(tmp_path, ["1", *["0"] * 145], ids), tmp_path, {})
    assert lines(path)[-1] == "145\t1"


def test_predictions_of_a_cell_and_json_lines_are_read_too(tmp_path):
    rows = [{"id": f"x{n}", "gold": None, "answer": "1"} for n in range(146)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "predictions.parquet")
    first, _ = write_submission("WNLI", tmp_path / "predictions.parquet", tmp_path / "a", {})
    said = [json.dumps({"id": row["id"], "label": "1"}) for row in rows]
    (tmp_path / "out.jsonl").write_text("\n".join(said), encoding="utf-8")
    second, _ = write_submission("WNLI", tmp_path / "out.jsonl", tmp_path / "b", {})
    assert lines(first) == lines(second)


@pytest.mark.parametrize(
    ("answers", "ids", "error", "hint"),
    [
        (["1"] * 145, None, "145 predictions, WNLI has 146", "whole test file"),
        (["1"] * 146, ["x"] * 146, "1 predictions, WNLI has 146", "whole test file"),
        (["1"] * 146, list(range(1, 147)), "no prediction for the index 0", "from 0"),
        (["1", "", *["1"] * 144], None, "line 3: no prediction", "most frequent"),
        (["1", "yes", *["1"] * 144], None, "line 3: 'yes' is no label", "name the task"),
    ],
)
def test_what_the_server_would_refuse_is_refused(tmp_path, answers, ids, error, hint):
    with pytest.raises(DataError) as caught:
        write_submission("WNLI", labelled(tmp_path, answers, ids), tmp_path / "out", {})
    assert error in caught.value.message
    assert hint in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("score", ["5.1", "-1", "nan", "high"])
def test_a_similarity_lies_between_0_and_5(tmp_path, score):
    with pytest.raises(DataError, match=r"line 2: .* is no score"):
        write_submission("STS-B", labelled(tmp_path, [score]), tmp_path, {})


def test_a_file_without_ids_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: no column 'id'"):
        write_submission("WNLI", path, tmp_path, {})


def test_an_unknown_part_gets_a_suggestion(tmp_path):
    with pytest.raises(ConfigError, match="GLUE has no test part 'MNLI'") as caught:
        write_submission("MNLI", tmp_path / "a.csv", tmp_path, {})
    assert "MNLI-m" in caught.value.hint
