"""What a user gets wrong is said in one line and a hint, before anything is spent or changed."""

import gzip
import shlex
from dataclasses import dataclass, field

import pytest

CSV = "id,text,label\n1,a nice day,good\n2,a poor day,bad\n"
TASK = """
kind: classify
instruction: Say how the text feels.
labels: {good: "", bad: ""}
data: {train: mood.csv, columns: {text: text, answer: label, id: id}}
"""
STUDY = "name: small\ntask: mood.yaml\nprotocol: {split: kfold, folds: 2}\n"


@dataclass(frozen=True)
class Case:
    """A mistake: the command, the files beside or instead of the good ones, what must be said."""

    name: str
    command: str
    error: str
    hint: str
    files: dict[str, str | bytes] = field(default_factory=dict)


def data(name: str, content: str | bytes, error: str, hint: str) -> Case:
    """A bad data file of the good study."""
    content = content.encode() if isinstance(content, str) else content
    return Case(name, "study study.yaml", error, hint, {"mood.csv": content})


def file(name: str, path: str, content: str | bytes, error: str, hint: str) -> Case:
    """A bad data file of any format, looked at by ``check``."""
    return Case(name, f"check {path}", error, hint, {path: content})


def study(name: str, content: str, error: str, hint: str) -> Case:
    """A bad study file."""
    return Case(name, "study study.yaml", error, hint, {"study.yaml": content})


def approach(name: str, entry: str, error: str, hint: str) -> Case:
    """A bad approach in the good study."""
    return study(name, f"{STUDY}approaches: [{entry}]\n", error, hint)


def protocol(name: str, settings: str, error: str, hint: str) -> Case:
    """A bad protocol of the good study."""
    content = f"name: small\ntask: mood.yaml\nprotocol: {{{settings}}}\napproaches: [majority]\n"
    return study(name, content, error, hint)


def task(name: str, old: str, new: str, error: str, hint: str) -> Case:
    """The good task with one thing changed."""
    assert old in TASK
    content = "name: mood" + TASK.replace(old, new)
    return Case(name, "study study.yaml", error, hint, {"mood.yaml": content})


DATA = [
    data(
        "no header column", CSV.replace("label", "mood"), "mood.csv has no column 'label'", "mood"
    ),
    data("unknown label", CSV.replace("bad", "bda"), "line 3: unknown label 'bda'", "'bad'?"),
    data("no label", CSV.replace("good", ""), "line 2: no answer", "label this row"),
    data("empty text", CSV.replace("a poor day", " "), "line 3: the text", "fill this row"),
    data("one id twice", CSV.replace("2,", "1,"), "line 3: the id '1'", "its own id"),
    data(
        "Latin-1", CSV.replace("nice", "caf\xe9").encode("latin-1"), "line 2: not UTF-8", "UTF-8"
    ),
    data("UTF-16", CSV.encode("utf-16"), "mood.csv, line 1", "UTF-8"),
    data("a row too long", CSV + "3,a, b,bad\n", "line 4: 4 fields, but", "double quotes"),
    data("a row too short", CSV + "3,a\n", "line 4: 2 fields, but", "double quotes"),
    data("an open quote", CSV + '3,"a b,bad\n', "mood.csv, line 4", "quote"),
    data("a column twice", CSV.replace("id,", "text,"), "'text' twice", "its own name"),
    data("only a header", "id,text,label\n", "mood.csv holds no rows", "right file"),
    data("nothing at all", "", "mood.csv holds no rows", "right file"),
    data("one label only", "id,text,label\n1,a,good\n2,b,good\n", "'bad'", "label"),
    file(
        "no JSON", "a.jsonl", '{"text": "a", "label": "x"}\n{"text"\n', "line 2: not JSON", "one"
    ),
    file(
        "no JSON object", "a.jsonl", "[1, 2]\n", "line 1: expected a JSON object", "object a line"
    ),
    file(
        "half a gzip file", "a.csv.gz", gzip.compress(CSV.encode())[:-9], "gzip", "fetch it again"
    ),
    file("no gzip file", "a.csv.gz", CSV, "a.csv.gz: damaged gzip", "fetch it again"),
    file("no Parquet file", "a.parquet", b"PAR1" + bytes(64) + b"PAR1", "a.parquet", "write it"),
    file("an unknown ending", "a.xlsx", b"PK", "unknown file ending '.xlsx'", "csv"),
    file("a quote in TSV", "a.tsv", 'text\tlabel\n"a\tgood\n', "a.tsv, line 2", "quote"),
    file(
        "no text column", "a.csv", "remark,label\na,b\n", "no column looks like the text", "text"
    ),
    file(
        "numbers for labels",
        "a.csv",
        "text,label\n" + "".join(f"a,{i}\n" for i in range(50)),
        "these are no labels",
        "column of the label",
    ),
    Case("no such data file", "check gone.csv", "no such file: gone.csv", "path"),
    Case("no such column", "check mood.csv --label mod", "no column 'mod'", "allowed: id"),
    Case(
        "no data file of a task",
        "study study.yaml",
        "no data file gone.csv, looked for",
        "TEXTUNE_DATA",
        {"mood.yaml": f"name: mood{TASK.replace('mood.csv', 'gone.csv')}"},
    ),
]
STUDIES = [
    Case("no such study", "study gone.yaml", "no such file: gone.yaml", "path"),
    study(
        "no YAML", "name: small\ntask: [mood\napproaches: x\n", "study.yaml, line 3: not", "close"
    ),
    study("a tab", "name: small\n\ttask: x\n", "study.yaml, line 2: not YAML", "space"),
    study("a list", "- majority\n", "study.yaml: expected a mapping", "key: value"),
    study("a key twice", "name: a\nname: b\n", 'duplicate key "name"', "this line"),
    study("an empty file", "", "study.yaml: expected a mapping", "key: value"),
    study("a typo", "nam: small\ntask: mood.yaml\napproaches: [majority]\n", "'nam'", "'name'?"),
    study("a missing key", "name: small\ntask: mood.yaml\n", "'approaches' is missing", "tfidf"),
    study(
        "a slash in the name",
        "name: a/b\ntask: mood.yaml\napproaches: [majority]\n",
        "study.yaml: 'a/b' cannot name a folder",
        "plain words",
    ),
    study("no approaches", f"{STUDY}approaches: []\n", "study.yaml: 'approaches' is", "tfidf"),
    study(
        "an unknown task",
        "name: a\ntask: sciite\napproaches: [majority]\n",
        "'sciite'",
        "'scicite'?",
    ),
    study(
        "a task file that is not there",
        "name: a\ntask: gone.yaml\napproaches: [majority]\n",
        "no such file",
        "path",
    ),
    approach(
        "two of one label",
        "majority, majority",
        "approaches[1]: a second approach is called",
        "name of its own",
    ),
    approach(
        "an unknown approach", "tfdif", "approaches[0]: unknown approach 'tfdif'", "'tfidf'?"
    ),
    approach(
        "an unknown method",
        "tuned: {method: lorra}",
        "approaches[0]: tuned: method: unknown method 'lorra'",
        "'lora'?",
    ),
    approach(
        "an unknown option of a method",
        "tuned: {method: {lora: {rnak: 8}}}",
        "approaches[0]: tuned: method: lora: unknown key 'rnak'",
        "'rank'?",
    ),
    approach("an unknown model", "prompted: {model: smollm}", "unknown model 'smollm'", "folder"),
    approach(
        "an unknown option",
        "tfidf: {word: 2}",
        "approaches[0]: tfidf: unknown key 'word'",
        "'words'?",
    ),
    approach(
        "an option of another type",
        "tfidf: {words: yes}",
        'approaches[0]: tfidf: words cannot be "yes"',
        "it should be a valid integer",
    ),
    approach(
        "two approaches in one",
        "{majority: {}, tfidf: {}}",
        "approaches[0]: expected one",
        "write a name",
    ),
    approach("a number for an approach", "7", "approaches[0]: expected one approach", "a name"),
    approach(
        "a number for a label",
        "{majority: {}, label: 7}",
        "approaches[0]: a label must",
        "in quotes",
    ),
    approach(
        "a negative learning rate",
        "tuned: {training: {lr: -1e-4}}",
        "approaches[0]: tuned: lr cannot be -0.0001",
        "5e-4",
    ),
    approach("no epochs", "tuned: {training: {epochs: 0}}", "epochs cannot be 0", "above 0"),
    approach("negative shots", "prompted: {shots: -1}", "shots cannot be -1", "0 or more"),
    approach(
        "more shots than examples",
        "prompted: {shots: 20}",
        "needs 20 training examples",
        "fewer demonstrations",
    ),
    approach("another kind of task", "pairs_only", "cannot do tasks of kind classify", "pair"),
    protocol("too many folds", "folds: 13", "'bad' has 12 example(s), fewer than 13", "12 folds"),
    protocol("one fold", "folds: 1", "1 fold(s) make no test part", "two folds"),
    protocol("folds in words", "folds: five", "protocol.folds", "integer"),
    protocol(
        "a size beyond the data", "folds: 2, sizes: [50]", "a sample of 50 examples", "up to"
    ),
    protocol("a size of one", "sizes: [1]", "a size cannot be 1", "from 2"),
    protocol("one size twice", "sizes: [4, 4]", "protocol.sizes", "sizes: ["),
    protocol("one seed twice", "seeds: [1, 1]", "protocol.seeds", "seeds: ["),
    protocol("an unknown split", "split: kfolds", "protocol.split: unknown 'kfolds'", "'kfold'?"),
    protocol("no test file", "split: fixed", "task mood has no test file", "data.test"),
    protocol("groups without a column", "grouped: true", "no example has a group", "group column"),
    protocol(
        "all held out", "valid_fraction: 1.5", "protocol.valid_fraction cannot be 1.5", "0.1"
    ),
]
TASKS = [
    task("an unknown kind", "classify", "clasify", "unknown kind 'clasify'", "'classify'?"),
    task(
        "an unknown positive label",
        "kind: classify",
        "kind: classify\npositive: god",
        "the positive label 'god' is not one of the labels",
        "good, bad",
    ),
    task(
        "a pair with one text",
        "kind: classify",
        "kind: pair\npositive: good",
        "needs 2 text",
        "question2",
    ),
    task("one label", ', bad: ""', "", "needs at least two labels", "list them"),
    task("labels alike", 'bad: ""', '"Good ": ""', "the same answer word", "under 'answers'"),
    task("answers for no label", "data:", "answers: {god: yes}\ndata:", "'god'", "'good'?"),
    task(
        "labels in a list",
        '{good: "", bad: ""}',
        "[good, bad]",
        "mood.yaml: labels cannot be",
        "be an object",
    ),
    task(
        "an unknown reader", "data: {", "data: {format: excel, ", "unknown reader 'excel'", "csv"
    ),
]
COMMANDS = [
    Case("an unknown list", "list task", "cannot list 'task'", "'tasks'?"),
    Case("no run folder", "report data", "data is no run folder", "run a study first"),
    Case(
        "a study's folder for a run's",
        "fit . --approach tfidf",
        "is no run folder, or damaged: study.yaml",
        "run the study again",
    ),
    Case("an unknown task to fit", "fit sciite --approach tfidf", "'sciite'", "'scicite'?"),
    Case("no approach to fit", "fit mood.yaml", "an approach must be named", "--approach tfidf"),
    Case(
        "an approach that is no YAML",
        "fit mood.yaml --approach 'a: [b'",
        "--approach, line 1",
        "brackets",
    ),
    Case(
        "an approach for other tasks",
        "fit mood.yaml --approach pairs_only",
        "kind classify",
        "pair",
    ),
    Case("memory in no unit", "report . --max-memory lots", "cannot read 'lots'", "2GiB"),
    Case("no memory", "study study.yaml --memory 0GB", "--memory: cannot read '0GB'", "2GiB"),
    Case("memory below nothing", "report . --max-memory=-1GB", "cannot read '-1GB'", "2GiB"),
    Case("no bundle", "predict . mood.csv", ". is no bundle", "textune fit"),
    Case("no input", "predict .", "give a file or --text", "textune predict"),
    Case("two inputs", "predict . mood.csv --text a", "give a file or --text", "textune predict"),
    Case(
        "an unknown output", "predict . mood.csv --out a.xlsx", "a.xlsx: unknown ending", ".jsonl"
    ),
    Case(
        "an output that is there",
        "predict . mood.csv --out mood.csv",
        "is there already",
        "another --out",
    ),
    Case(
        "a study in a file's place",
        "study study.yaml --run mood.csv/run",
        "Not a directory",
        "permissions",
    ),
    Case(
        "a bundle in a file's place",
        "fit mood.yaml --approach tfidf --out mood.csv/x/y",
        "Not a directory",
        "permissions",
    ),
]


@pytest.mark.parametrize("case", [*DATA, *STUDIES, *TASKS, *COMMANDS], ids=lambda case: case.name)
def test_a_mistake_is_one_line_and_a_hint(case, moods, outside, refused):
    for name, content in case.files.items():
        content = content.encode() if isinstance(content, str) else content
        (moods / name).write_bytes(content)
    refused(*shlex.split(case.command), error=case.error, hint=case.hint)
