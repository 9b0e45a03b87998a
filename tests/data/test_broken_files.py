"""Every reader on broken files: one line that names the file and the row, and a hint."""

import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgpack
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textune.core.errors import DataError
from textune.data.readers.base import REGISTRY
from textune.data.sources import Layout, read_examples

Contents = str | bytes | Callable[[Path], None]
SPACY = Path(__file__).with_name("entities.spacy")
LABELS = Layout(text_columns=("text",), labels=("good", "bad"))
SPANS = Layout(
    text_columns=("text",), answer_column="entities", labels=("Person",), answer_form="entities"
)
TYPES = Layout(text_columns=("text",), answer_column="entities", answer_form="entities")
SENTENCES = Layout(text_columns=("sentence",), labels=("0", "1"))
PAIRS = Layout(
    text_columns=("question1", "question2"), answer_column="is_duplicate", labels=("0", "1")
)


@dataclass(frozen=True)
class Broken:
    """A file that must be refused: the reader, its content, and where the fault is."""

    format: str
    content: Contents
    place: str
    layout: Layout = LABELS

    @property
    def name(self) -> str:
        return NAMES.get(self.format, "a.txt")


NAMES = {"brat": "a.ann", "dataset_info": "dataset_info.json#a", "quora": "a.tsv"}
"""Reader -> the place that it is given, where the ending matters."""


def each(format: str, layout: Layout, *cases: tuple[Contents, str]) -> list[Broken]:
    """Broken files of one format."""
    return [Broken(format, content, place, layout) for content, place in cases]


def lines(*records: object) -> str:
    """JSON lines; strings as they are."""
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)


def table(*rows: dict[str, object]) -> Callable[[Path], None]:
    """A Parquet file."""
    return lambda path: pq.write_table(pa.Table.from_pylist(list(rows)), path)


def beside(text: str, annotations: str) -> Callable[[Path], None]:
    """A text and its annotations."""

    def write(path: Path) -> None:
        path.with_suffix(".txt").write_text(text, encoding="utf-8")
        path.write_text(annotations, encoding="utf-8")

    return write


def entry(content: str, **changes: object) -> Callable[[Path], None]:
    """A list of data sets with the entry ``a``, and its file."""

    def write(path: Path) -> None:
        (path.parent / "b.json").write_text(content, encoding="utf-8")
        described = {"a": {"file_name": "b.json", **changes}}
        path.with_name("dataset_info.json").write_text(json.dumps(described), encoding="utf-8")

    return write


def documents(*without: str, **parts: object) -> Callable[[Path], None]:
    """spaCy's file with parts of it replaced, and without some of its strings."""

    def write(path: Path) -> None:
        content = msgpack.unpackb(zlib.decompress(SPACY.read_bytes()))
        content["strings"] = [each for each in content["strings"] if each not in without]
        path.write_bytes(zlib.compress(msgpack.packb({**content, **parts})))

    return write


GOOD = {"text": "fine", "label": "good"}
HEAD = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tA?\tB?\t1\n"
DOCUMENT = {"sentences": [["Zo", "sleeps"]], "ner": [[[0, 0, "Person"]]]}
ALPACA = {"instruction": "Say.", "input": "fine", "output": "good"}
ASKED = [{"from": "human", "value": "fine"}]
SAID = {"role": "assistant", "content": "good"}
OK = {"messages": [{"role": "user", "content": "fine"}, SAID]}

BROKEN = [
    *each(
        "csv",
        LABELS,
        ("text,label\nfine,good,more\n", "line 2"),
        ("text,label\nfine,good\nfine\n", "line 3"),
        ('text,label\n"fine,good\n', "line 2"),
        ("text,label\nfine,god\n", "line 2"),
        ("text,label\nfine,good\n ,bad\n", "line 3"),
        (b"text,label\nfine,good\n\xff,bad\n", "line 3"),
        ("text,text\nfine,good\n", "line 1"),
    ),
    *each(
        "tsv",
        LABELS,
        ("text\tlabel\nfine\tgood\tmore\n", "line 2"),
        ("text\tlabel\nfine\tgood\nfine\n", "line 3"),
        ('text\tlabel\n"fine\tgood\n', "line 2"),
        ("text\tlabel\nfine\t\n", "line 2"),
        ("text\tlabel\nfi\0ne\tgood\n", "line 2"),
    ),
    *each(
        "jsonl",
        LABELS,
        (lines(GOOD, '{"text": '), "line 2"),
        (lines(GOOD, [GOOD]), "line 2"),
        (lines(GOOD, {"text": "fine"}), "line 2"),
        (lines(GOOD, GOOD | {"label": "god"}), "line 2"),
        (lines(GOOD, GOOD | {"text": 7}), "line 2"),
        (lines(GOOD, GOOD | {"label": ["good"]}), "line 2"),
        (lines(GOOD, '{"text": "\\ud800", "label": "good"}'), "line 2"),
    ),
    *each(
        "json",
        LABELS,
        (f"[{json.dumps(GOOD)},\n", "line 2"),
        (f"[{json.dumps(GOOD)}, 7]", "record 2"),
        (json.dumps([GOOD, {"text": "fine"}]), "record 2"),
        (json.dumps([GOOD, GOOD | {"text": ""}]), "record 2"),
        (json.dumps([GOOD, GOOD | {"label": None}]), "record 2"),
        (lines(GOOD, "{"), "line 2"),
    ),
    *each(
        "parquet",
        LABELS,
        (table(GOOD, {"text": " ", "label": "bad"}), "row 2"),
        (table(GOOD, {"text": None, "label": "bad"}), "row 2"),
        (table(GOOD, {"text": "fine", "label": None}), "row 2"),
        (table(GOOD, {"text": "fine", "label": "god"}), "row 2"),
        (table({"text": "fine", "label": ["good"]}), "row 1"),
        (table({"text": 7, "label": "good"}), "row 1"),
    ),
    *each(
        "conll",
        SPANS,
        ("Zo B-Person\nsleeps\n", "line 2"),
        ("Zo B-Person\n\nsleeps X\n", "line 3"),
        ("Zo Q-Person\n", "line 1"),
        ("Zo B-\n", "line 1"),
        ("Zo\tB-Person\n\tO\n", "line 2"),
        ("Zo B-Person\n\nAl B-Place\n", "line 3"),
        (b"Zo B-Person\n\xff O\n", "line 2"),
    ),
    *each(
        "dygie",
        SPANS,
        (lines(DOCUMENT, {"sentences": [["a"]]}), "line 2"),
        (lines(DOCUMENT, DOCUMENT | {"ner": []}), "line 2"),
        (lines(DOCUMENT, DOCUMENT | {"ner": [[[0, 5, "Person"]]]}), "line 2"),
        (lines(DOCUMENT, DOCUMENT | {"ner": [[[0, "Person"]]]}), "line 2"),
        (lines(DOCUMENT, DOCUMENT | {"ner": [[[0, 0, "Place"]]]}), "line 2"),
        (lines(DOCUMENT, "{"), "line 2"),
    ),
    *each(
        "brat",
        SPANS,
        (beside("Zo sleeps", "T1\tPerson 0 4\tZo\n"), "line 1"),
        (beside("Zo sleeps", "#1\tx\nT1\tPerson 0 1;1 2\tZ o\n"), "line 2"),
        (beside("Zo sleeps", "T1\tPerson zero 2\tZo\n"), "line 1"),
        (beside("Zo sleeps", "T1\tPerson 0 20\tZo sleeps\n"), "line 1"),
        (beside("Zo sleeps", "T1 Person 0 2 Zo\n"), "line 1"),
        (beside("Zo sleeps", "T1\tPlace 0 2\tZo\n"), "document 1"),
    ),
    *each(
        "alpaca",
        LABELS,
        (json.dumps([ALPACA, {"instruction": "Say."}]), "record 2"),
        (json.dumps([ALPACA, {"output": "good"}]), "record 2"),
        (json.dumps([ALPACA, ALPACA | {"input": 7}]), "record 2"),
        (json.dumps([ALPACA, ALPACA | {"output": "god"}]), "record 2"),
        (json.dumps([ALPACA, ALPACA | {"history": [["a"]]}]), "record 2"),
        (json.dumps([ALPACA, "Say."]), "record 2"),
    ),
    *each(
        "sharegpt",
        LABELS,
        (lines({"conversations": ASKED}), "record 1"),
        (lines({"conversations": []}), "record 1"),
        (lines({"turns": ASKED}), "record 1"),
        (lines({"conversations": [*ASKED, {"from": "bing", "value": "x"}]}), "record 1"),
        (lines({"conversations": [*ASKED, {"from": "gpt"}]}), "record 1"),
        (lines({"conversations": [*ASKED, "good"]}), "record 1"),
        (lines({"conversations": [*ASKED, {"from": "gpt", "value": "god"}]}), "record 1"),
    ),
    *each(
        "messages",
        LABELS,
        (lines(OK, {"messages": [SAID]}), "record 2"),
        (lines(OK, {"messages": "fine"}), "record 2"),
        (lines(OK, {"messages": [{"role": "tool", "content": "x"}, SAID]}), "record 2"),
        (lines(OK, {"messages": [{"role": "user", "content": 7}, SAID]}), "record 2"),
        (
            lines(OK, {"messages": [{"role": "user", "content": [{"type": "image"}]}, SAID]}),
            "record 2",
        ),
        (lines(OK, "{"), "line 2"),
    ),
    *each(
        "dataset_info",
        LABELS,
        (entry(json.dumps([{"instruction": "Say."}])), "record 1"),
        (entry(json.dumps([ALPACA]), columns={"response": "answer"}), "record 1"),
        (entry(json.dumps([ALPACA]), formatting="sharegpt"), "record 1"),
        (entry(json.dumps([ALPACA, 7])), "record 2"),
        (entry(lines(ALPACA, "{")), "line 2"),
        (entry(json.dumps([ALPACA, ALPACA | {"output": "god"}])), "record 2"),
    ),
    *each(
        "glue",
        SENTENCES,
        ("sentence\tlabel\nfine\n", "line 2"),
        ("sentence\tlabel\nfine\t1\tmore\n", "line 2"),
        ("gj\t1\t\tFine.\ngj\t0\n", "line 2"),
        ("words\tclass\nfine\t1\n", "line 1"),
        ("sentence\tlabel\nfine\t2\n", "line 2"),
        ("sentence\tlabel\n\t1\n", "line 2"),
        (b"sentence\tlabel\n\xff\t1\n", "line 2"),
    ),
    *each(
        "quora",
        PAIRS,
        (f"{HEAD}1\t3\t4\tC?\tD?\n", "line 3"),
        (f"{HEAD}1\t3\t4\tC?\tD?\t2\n", "line 3"),
        (f"{HEAD}one\t3\t4\tC?\tD?\t0\n", "line 3"),
        (f'{HEAD}1\t3\t4\t"C?\tD?\t0\n2\t5\t6\tE"\tF?\t1\n', "line 3"),
        (HEAD.replace("question2", "other"), "line 2"),
        (f"{HEAD}1\t3\t4\tC?\tD?\t\n", "line 3"),
    ),
    *each(
        "docbin",
        TYPES,
        (documents(strings=["Yes"]), "document 1"),
        (documents("Nothing"), "document 2"),
        (documents("PERSON"), "document 1"),
        (documents(), "document 3"),  # which is empty
        (documents(cats=[{}, {}, {"a": "b"}]), "document 3"),
        (documents(cats=[{}, [1], {}]), "document 2"),
    ),
]


def test_every_reader_of_files_has_five_broken_ones():
    counts = Counter(case.format for case in BROKEN)
    assert {name: counts[name] >= 5 for name in set(REGISTRY.names()) - {"hub"}} == dict.fromkeys(
        set(REGISTRY.names()) - {"hub"}, True
    )


@pytest.mark.parametrize(
    "case", BROKEN, ids=[f"{case.format}-{place}" for place, case in enumerate(BROKEN)]
)
def test_a_broken_file_is_refused_with_its_row_and_a_hint(tmp_path, case):
    path = tmp_path / case.name
    if callable(case.content):
        case.content(path)
    else:
        content = case.content
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_examples(path, case.layout, format=case.format)
    assert str(tmp_path) in caught.value.message
    assert f", {case.place}: " in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert "\n" not in caught.value.hint
