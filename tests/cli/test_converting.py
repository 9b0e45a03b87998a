"""Data in other people's formats, in and out, as a user types it."""

import json

import pytest

ALPACA = [
    {"instruction": "Say the mood.", "input": f"It was a {word} day.", "output": label}
    for label, words in {"good": ("nice", "great", "fine"), "bad": ("awful", "poor")}.items()
    for word in words
]


@pytest.mark.parametrize("format", ["alpaca", "sharegpt", "messages", "jsonl", "csv"])
def test_data_are_converted_and_checked_again(moods, textune, format):
    said = textune("convert", "mood.yaml", "out", "--to", format, "--json")
    (file,) = json.loads(said.out)
    assert json.loads(said.out) == {file: 24}
    (part,) = json.loads(textune("check", file, "--json").out)["audit"]["parts"]
    assert part["labels"] == {"good": 12, "bad": 12}


def test_files_are_told_with_their_numbers(moods, textune):
    said = textune("convert", "mood.yaml", "out", "--to", "csv")
    assert (said.code, said.out) == (0, "24 examples: out/mood_train.csv\n")
    assert textune("check", "out/mood.yaml").code == 0


def test_an_entry_of_a_list_is_checked_by_name(moods, textune):
    textune("convert", "mood.yaml", "out", "--to", "alpaca")
    said = textune("check", "out/dataset_info.json#mood_train")
    assert said.out.startswith("mood_train\n")


def test_instruction_data_are_converted_into_rows(moods, textune):
    (moods / "alpaca.json").write_text(json.dumps(ALPACA), encoding="utf-8")
    assert textune("convert", "alpaca.json", "out", "--to", "jsonl").code == 0
    first = json.loads((moods / "out" / "alpaca_train.jsonl").read_text().splitlines()[0])
    assert (first["text"], first["label"]) == ("It was a nice day.", "good")


def test_a_named_format_beats_what_the_file_looks_like(moods, textune):
    (moods / "alpaca.json").write_text(json.dumps(ALPACA), encoding="utf-8")
    said = textune("check", "alpaca.json", "--format", "json")
    assert (said.code, said.out) == (2, "")
    assert "no column looks like the text" in said.err


def test_a_submission_is_written(moods, textune):
    rows = "".join(f"x{n},{'good' if n % 2 else 'bad'}\n" for n in range(146))
    (moods / "labelled.csv").write_text(f"id,label\n{rows}", encoding="utf-8")
    values = 'id: id}, values: {"1": good, "0": bad}'
    task = (moods / "mood.yaml").read_text().replace("id: id}", values)
    (moods / "mood.yaml").write_text(task, encoding="utf-8")
    said = textune("glue", "WNLI", "labelled.csv", "out", "--task", "mood.yaml")
    assert (said.code, said.out) == (0, "146 predictions: out/WNLI.tsv\n")
    assert (moods / "out" / "WNLI.tsv").read_text().splitlines()[:3] == [
        "index\tprediction",
        "0\t0",
        "1\t1",
    ]


@pytest.mark.parametrize(
    ("command", "error", "hint"),
    [
        ("convert mood.yaml out --to alpca", "unknown format to write 'alpca'", "'alpaca'?"),
        ("convert mood.yaml out --to conll", "conll holds entities", "jsonl"),
        ("convert mod out --to csv", "unknown task 'mod'", "allowed"),
        ("convert mood.yaml mood.csv --to csv", "cannot write", "permissions"),
        ("glue WNLI mood.csv out", "line 2: 'good' is no label", "name the task"),
        ("glue WNLU mood.csv out", "no test part 'WNLU'", "'WNLI'?"),
        ("check mood.csv --format excel", "unknown reader 'excel'", "csv"),
        ("check dataset_info.json#a", "no such file", "path"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint(moods, refused, command, error, hint):
    refused(*command.split(), error=error, hint=hint)
