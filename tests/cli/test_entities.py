"""A study of entities as a user runs it."""

import csv
import json

import pytest

from textune.testing import tiny_encoder_folder

TASK = """\
name: words
kind: extract
instruction: List names and years.
labels: {Name: a name, Year: a year}
data: {train: words.conll, test: later.conll, columns: {answer: entities}}
"""
STUDY = """\
name: words
task: words.yaml
protocol: {seeds: [0, 1]}
approaches:
  - encoder: {model: ./encoder, training: {epochs: 6, batch_size: 4, lr: 5e-3}}
  - encoder: {model: ./encoder, training: {epochs: 1, batch_size: 4, lr: 1e-5}}
    label: hardly trained
"""
NAMES = ("Sato", "Lima", "Weber", "Okoro", "Diaz")


@pytest.fixture
def words(moods):
    """A folder with tagged files, a task, a study and an encoder."""
    for file, years in (("words", range(1990, 2006)), ("later", range(1991, 2003, 3))):
        lines = []
        for year in years:
            name = NAMES[year % len(NAMES)]
            tagged = [("as", "O"), (name, "B-Name"), ("said", "O"), ("in", "O")]
            lines += [f"{w} {t}" for w, t in [*tagged, (year, "B-Year"), (".", "O")]] + [""]
        (moods / f"{file}.conll").write_text("\n".join(lines), encoding="utf-8")
    (moods / "words.yaml").write_text(TASK, encoding="utf-8")
    (moods / "study.yaml").write_text(STUDY, encoding="utf-8")
    texts = (moods / "words.conll").read_text().replace("\n", " ").split(".")
    tiny_encoder_folder(moods / "encoder", texts)
    return moods


def test_a_study_of_entities_ends_in_a_report_and_a_bundle(words, textune):
    assert textune("study", "study.yaml").code == 0
    assert textune("report", "runs/words").code == 0
    page = (words / "runs" / "words" / "report" / "report.md").read_text(encoding="utf-8")
    assert "| micro F1 |" in page.replace("Micro", "micro")
    assert "By label" in page
    assert "Confusions" not in page
    assert "(Year)" in page
    assert textune("fit", "runs/words", "--out", "bundle").code == 0
    said = textune("predict", "bundle", "--text", "as Lima said in 1999 .")
    assert said.code == 0
    assert "Lima (Name); 1999 (Year)" in said.out
    (words / "new.csv").write_text("text\nas Weber said in 1992 .\n", encoding="utf-8")
    assert textune("predict", "bundle", "new.csv", "--out", "out.csv").code == 0
    with (words / "out.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert [found[2:] for found in json.loads(row["label"])] == [
        ["Name", "Weber"],
        ["Year", "1992"],
    ]


def test_approaches_that_read_no_entities_say_so(words, textune):
    (words / "study.yaml").write_text(STUDY + "  - tfidf\n", encoding="utf-8")
    planned = textune("plan", "study.yaml")
    assert "tfidf cannot do tasks of kind extract" in planned.out + planned.err
