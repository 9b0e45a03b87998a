"""A task's data in every format that is written, and read again."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textune.core.config import parse, read_yaml
from textune.core.errors import ImpossibleError, StoreError
from textune.data.entities import entity, read_entities, write_entities
from textune.data.examples import Example, Examples
from textune.data.readers.base import reader_for
from textune.data.sources import Layout, read_examples
from textune.exchange.convert import convert_task
from textune.exchange.writers.base import REGISTRY
from textune.prompts.template import instruction_text, messages
from textune.tasks.base import Columns, DataSpec, TaskSpec, load_task
from textune.tasks.dataset import Dataset, load_dataset, task_from_file
from textune.tasks.kinds.classify import Classify
from textune.tasks.kinds.extract import Extract
from textune.tasks.kinds.pair import Pair

PROMPTS = ("alpaca", "sharegpt", "messages")
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    str.strip
)


def task_of(kind, labels, columns):
    return TaskSpec(
        name="a",
        kind=kind,
        instruction="Decide.",
        labels=dict.fromkeys(labels, ""),
        answers={"same": "yes"} if "same" in labels else {},
        data=DataSpec(train="x", columns=columns),
    )


MOOD = task_of(Classify(), ["good", "bad"], Columns(group="who"))
SAME = task_of(Pair(), ["same", "other"], Columns(text=("a", "b")))
TERMS = task_of(Extract(), ["Name", "Year"], Columns(answer="entities", group="document"))
ODD = 'a "quoted", text;\twith\r\na\u2028line'


def answer(text, *spans):
    return write_entities(entity(text, start, end, type) for start, end, type in spans)


def dataset_of(*rows, test=()):
    return Dataset(Examples(tuple(rows)), Examples(tuple(test)) if test else None)


MOODS = dataset_of(
    Example("1", ("fine",), "good", "x"),
    Example("2", (ODD,), "bad"),
    test=[Example("3", ("fine",), "good", "y")],
)
PAIRS = dataset_of(
    Example("1", ("A?\nText 2: no", ODD), "same"), Example("2", ("C?", "D?"), "other")
)
SAID = "Zo said in 1999 ."
SENTENCES = dataset_of(
    Example("1", (SAID,), answer(SAID, (0, 2, "Name"), (11, 15, "Year")), "d 1"),
    Example("2", ("no names",), answer("no names"), "d 1"),
    Example("3", ("Al Bo",), answer("Al Bo", (0, 2, "Name"), (3, 5, "Name")), "d 2"),
)
CASES = {"classify": (MOOD, MOODS), "pair": (SAME, PAIRS), "extract": (TERMS, SENTENCES)}


def read_again(folder):
    return load_dataset(parse(TaskSpec, read_yaml(folder / "a.yaml"), where="a.yaml"))


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_rows_read_again_are_the_same_examples(tmp_path, kind, format):
    task, dataset = CASES[kind]
    written = convert_task(task, dataset, tmp_path, REGISTRY.get(format)())
    assert list(written.values()) == [len(part) for part in (dataset.train, dataset.test) if part]
    assert read_again(tmp_path) == dataset


@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(["jsonl", "csv"]))
def test_any_text_survives_in_rows(tmp_path_factory, texts, format):
    rows = [Example(str(place), (text,), "good", "x") for place, text in enumerate(texts)]
    writer = REGISTRY.get(format)()
    path = tmp_path_factory.mktemp("rows") / "a"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(writer.pieces(MOOD, rows))
    layout = Layout(text_columns=("text",), id_column="id", group_column="group")
    assert list(read_examples(path, layout, format=format)) == rows


def test_tagged_tokens_read_again_are_the_same_entities_and_documents(tmp_path):
    convert_task(TERMS, SENTENCES, tmp_path, REGISTRY.get("conll")())
    found = read_again(tmp_path).train
    assert [(r.texts, r.answer) for r in found] == [(r.texts, r.answer) for r in SENTENCES.train]
    assert [row.group for row in found] == ["a_train 1", "a_train 1", "a_train 2"]


def test_tokens_are_cut_where_an_entity_ends_and_documents_are_kept_together(tmp_path):
    rows = [
        Example("1", ("Zo's Al.",), answer("Zo's Al.", (0, 2, "Name"), (0, 7, "Name")), "x"),
        Example("2", ("In  1999.",), answer("In  1999.", (4, 8, "Year"))),
        Example("3", ("no",), answer("no"), "x"),
    ]
    convert_task(TERMS, dataset_of(*rows), tmp_path, REGISTRY.get("conll")())
    lines = (tmp_path / "a_train.conll").read_text(encoding="utf-8").split("\n")
    assert lines == [
        *("-DOCSTART-\tO", "", "Zo\tB-Name", "'s\tI-Name", "Al\tI-Name", ".\tO", ""),
        *("no\tO", "", "-DOCSTART-\tO", "", "In\tO", "1999\tB-Year", ".\tO", "", ""),
    ]


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("format", PROMPTS)
def test_prompts_are_those_of_textune_and_are_read_again(tmp_path, kind, format):
    task, dataset = CASES[kind]
    (file, *_) = convert_task(task, dataset, tmp_path, REGISTRY.get(format)())
    for place in (file, tmp_path / "dataset_info.json#a_train"):
        named = format if place is file else "auto"
        found = [row for _, row in reader_for(place, named).rows(place)]
        assert [row["text"] for row in found] == [
            messages(task, (), task.kind.input_text(row))[0]["content"] for row in dataset.train
        ]
        assert [row["label"] for row in found] == [
            task.kind.written(row.answer, task.words) for row in dataset.train
        ]


def test_instruction_records_make_the_same_task_again(tmp_path):
    convert_task(MOOD, MOODS, tmp_path, REGISTRY.get("alpaca")())
    again = task_from_file(tmp_path / "dataset_info.json#a_train")
    assert again.instruction == instruction_text(MOOD)
    assert set(again.labels) == set(MOOD.labels)
    found = load_dataset(again).train
    assert found.answers == MOODS.train.answers
    assert [row.texts[0] for row in found] == [f"Text: {row.texts[0]}" for row in MOODS.train]


def test_a_list_of_data_sets_keeps_what_it_has(tmp_path):
    others = {"mine": {"file_name": "mine.json"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(others), encoding="utf-8")
    convert_task(MOOD, MOODS, tmp_path, REGISTRY.get("messages")())
    listed = json.loads((tmp_path / "dataset_info.json").read_text(encoding="utf-8"))
    assert list(listed) == ["mine", "a_train", "a_test"]
    assert listed["a_test"]["file_name"] == "a_test.jsonl"
    assert listed["a_test"]["tags"]["assistant_tag"] == "assistant"


@pytest.mark.parametrize("format", ["alpaca", "csv"])
def test_nothing_is_overwritten(tmp_path, format):
    convert_task(MOOD, MOODS, tmp_path, REGISTRY.get(format)())
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(StoreError, match="already"):
        convert_task(MOOD, MOODS, tmp_path, REGISTRY.get(format)())
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_is_no_list_of_data_sets_is_left_alone(tmp_path):
    (tmp_path / "dataset_info.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(StoreError, match="is no list of data sets"):
        convert_task(MOOD, MOODS, tmp_path, REGISTRY.get("alpaca")())
    assert [path.name for path in tmp_path.iterdir()] == ["dataset_info.json"]


def test_labels_are_no_tags(tmp_path):
    with pytest.raises(ImpossibleError, match="conll holds entities, task a is of kind classify"):
        convert_task(MOOD, MOODS, tmp_path / "new", REGISTRY.get("conll")())
    assert not (tmp_path / "new").exists()


def test_every_format_that_is_written_is_one_that_is_read():
    assert set(REGISTRY.names()) == {*PROMPTS, "jsonl", "csv", "conll"}
    for name in REGISTRY.names():
        assert reader_for(None, name).name == name
        assert REGISTRY.get(name).summary()


@pytest.mark.parametrize("format", ["jsonl", "csv", "conll"])
def test_real_entities_survive(real_data, tmp_path, monkeypatch, format):
    monkeypatch.setenv("TEXTUNE_DATA", str(real_data))
    scierc = load_task("scierc")
    task = replace(
        scierc, name="a", data=replace(scierc.data, train=str(scierc.data.test), test=None)
    )
    dataset = load_dataset(task)
    convert_task(task, dataset, tmp_path, REGISTRY.get(format)())
    found = read_again(tmp_path).train
    assert [(r.texts, r.answer) for r in found] == [(r.texts, r.answer) for r in dataset.train]
    assert sum(len(read_entities(each)) for each in found.answers) == 808
    assert len({row.group for row in found}) == len({row.group for row in dataset.train}) == 50
