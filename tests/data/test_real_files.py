"""The files of the data folder, each as its readme says, and through the other readers."""

import csv
import json
import re
from collections import Counter

import pytest

from textune.data.readers.base import reader_for
from textune.data.readers.glue import Glue
from textune.data.readers.quora import Quora

FILE = re.compile(r"^\| `(?P<file>[^`]+\.(?:jsonl|conll)\.gz)` \| (?P<rows>\d+) \|", re.MULTILINE)
FOLDERS = (
    *("acl_arc", "scicite", "chemprot", "mag_fos", "scierc", "bc5cdr", "ncbi_disease", "scinli"),
    *("nli4ct", "citation_integrity", "qqp", "glue_rte", "glue_cola", "glue_mrpc", "glue_stsb"),
    *("glue_sst2", "glue_mnli", "sick", "reviewer_paper"),
)


def content(path):
    return [dict(row) for _, row in reader_for(path).rows(path)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_has_the_rows_that_the_readme_states(real_data, folder):
    stated = FILE.findall((real_data / "README.md").read_text(encoding="utf-8"))
    files = {name: int(rows) for name, rows in stated if name.startswith(f"{folder}/")}
    assert files
    for name, rows in files.items():
        path = real_data / name
        assert sum(1 for _ in reader_for(path).rows(path)) == rows, name


def test_pairs_of_quora_survive_the_form_of_its_release(real_data, tmp_path):
    pairs = content(real_data / "qqp" / "test_public.jsonl.gz")
    path = tmp_path / "quora_duplicate_questions.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["id", "qid1", "qid2", "question1", "question2", "is_duplicate"])
        for place, pair in enumerate(pairs):
            numbers = [place, 2 * place, 2 * place + 1]
            writer.writerow([*numbers, pair["question1"], pair["question2"], pair["label"]])
    found = [row for _, row in Quora().rows(path)]
    assert [(r["question1"], r["question2"], r["is_duplicate"]) for r in found] == [
        (p["question1"], p["question2"], str(p["label"])) for p in pairs
    ]
    assert Counter(row["is_duplicate"] for row in found) == {"1": 3467, "0": 3439}


def test_sentences_of_cola_survive_the_form_of_the_benchmark(real_data, tmp_path):
    rows = content(real_data / "glue_cola" / "dev.jsonl.gz")
    lines = [f"x\t{row['label']}\t\t{row['text']}\n" for row in rows]
    (tmp_path / "train.tsv").write_text("".join(lines), encoding="utf-8")
    found = [(row["sentence"], row["label"]) for _, row in Glue().rows(tmp_path)]
    assert found == [(row["text"], str(row["label"])) for row in rows]


def test_sentences_of_scicite_survive_a_conversation(real_data, tmp_path):
    rows = content(real_data / "scicite" / "dev.jsonl.gz")
    path = tmp_path / "a.json"
    turns = [
        [{"from": "human", "value": row["text"]}, {"from": "gpt", "value": row["label"]}]
        for row in rows
    ]
    path.write_text(json.dumps([{"conversations": each} for each in turns]), encoding="utf-8")
    found = [(row["text"], row["label"]) for _, row in reader_for(path, "sharegpt").rows(path)]
    assert found == [(row["text"], row["label"]) for row in rows]
