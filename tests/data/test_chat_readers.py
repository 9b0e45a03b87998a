"""Alpaca, ShareGPT, chat messages, plain JSON arrays, and LLaMA-Factory's list of them."""

import gzip
import json

import pytest

from textune.core.errors import DataError
from textune.data.readers.base import REGISTRY, reader_for, recognised
from textune.tasks.dataset import load_dataset, task_from_file

ALPACA = [
    {"instruction": "Say the mood.", "input": "A fine day.", "output": "good"},
    {"instruction": "Say the mood.", "input": "A poor day.", "output": "bad"},
]
SHAREGPT = [
    {
        "conversations": [
            {"from": "human", "value": "A fine day."},
            {"from": "gpt", "value": "good"},
        ]
    },
    {
        "conversations": [
            {"from": "system", "value": "Say the mood."},
            {"from": "human", "value": "A poor day."},
            {"from": "gpt", "value": "bad"},
        ]
    },
]
MESSAGES = [
    {
        "messages": [
            {"role": "system", "content": "Say the mood."},
            {"role": "user", "content": [{"type": "text", "text": "A fine day."}]},
            {"role": "assistant", "content": "good"},
        ]
    }
]


def written(folder, content, name="a.json"):
    path = folder / name
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def rows(path, format="auto"):
    return [(number, dict(row)) for number, row in reader_for(path, format).rows(path)]


def asked(instruction, given, label):
    text = "\n\n".join(part for part in (instruction, given) if part)
    return {"instruction": instruction, "input": given, "text": text, "label": label}


GOOD = asked("Say the mood.", "A fine day.", "good")
BAD = asked("Say the mood.", "A poor day.", "bad")


def test_a_json_array_has_numbered_records(tmp_path):
    assert rows(written(tmp_path, [{"a": 1}, {"b": None}])) == [(1, {"a": 1}), (2, {"b": None})]


def test_a_json_file_of_lines_is_read_by_line(tmp_path):
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(b'\n{"a": 1}\n{"a": 2}\n'))
    assert rows(path) == [(2, {"a": 1}), (3, {"a": 2})]


def test_alpaca_joins_instruction_and_input(tmp_path):
    assert rows(written(tmp_path, ALPACA), "alpaca") == [(1, GOOD), (2, BAD)]


def test_alpaca_without_input_has_the_instruction_as_text(tmp_path):
    path = written(tmp_path, [{"instruction": "Say yes.", "output": "yes"}])
    assert rows(path, "alpaca") == [(1, asked("Say yes.", "", "yes"))]


def test_alpaca_with_earlier_turns_has_a_dialogue_for_input(tmp_path):
    record = {
        "system": "Be short.",
        "history": [["Hello?", "Hi."]],
        "instruction": "Say the mood.",
        "input": "A fine day.",
        "output": "good",
    }
    given = "user: Hello?\nassistant: Hi.\nuser: Say the mood.\n\nA fine day."
    assert rows(written(tmp_path, [record]), "alpaca") == [(1, asked("Be short.", given, "good"))]


def test_sharegpt_takes_the_last_turn_for_the_answer(tmp_path):
    found = rows(written(tmp_path, SHAREGPT), "sharegpt")
    assert found == [(1, asked("", "A fine day.", "good")), (2, BAD)]


def test_messages_may_list_parts_of_text(tmp_path):
    assert rows(written(tmp_path, MESSAGES), "messages") == [(1, GOOD)]


def test_a_longer_conversation_names_its_speakers(tmp_path):
    turns = [("user", "A"), ("assistant", "B"), ("user", "C"), ("assistant", "D")]
    record = {"messages": [{"role": role, "content": words} for role, words in turns]}
    given = "user: A\nassistant: B\nuser: C"
    assert rows(written(tmp_path, [record]), "messages") == [(1, asked("", given, "D"))]


@pytest.mark.parametrize(
    ("content", "format"),
    [(ALPACA, "alpaca"), (SHAREGPT, "sharegpt"), (MESSAGES, "messages"), ([{"a": 1}], "json")],
)
@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_a_format_is_told_by_the_columns(tmp_path, content, format, ending):
    path = tmp_path / f"a.{ending}"
    lines = "\n".join(map(json.dumps, content)) if ending == "jsonl" else json.dumps(content)
    path.write_text(lines, encoding="utf-8")
    assert recognised(path) == (ending if format == "json" else format)


def test_an_instruction_that_all_share_becomes_that_of_the_task(tmp_path):
    task = task_from_file(written(tmp_path, ALPACA))
    assert (task.instruction, set(task.labels)) == ("Say the mood.", {"good", "bad"})
    assert [row.texts for row in load_dataset(task).train] == [("A fine day.",), ("A poor day.",)]


def test_different_instructions_are_part_of_the_text(tmp_path):
    other = {"instruction": "And now?", "input": "A sad day.", "output": "bad"}
    task = task_from_file(written(tmp_path, [*ALPACA, other]))
    texts = [row.texts[0] for row in load_dataset(task).train]
    assert texts[2] == "And now?\n\nA sad day."


ENTRIES = {
    "mood": {
        "file_name": "mood.json",
        "columns": {"prompt": "do", "query": "on", "response": "so"},
    },
    "chat": {
        "file_name": "chat.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "turns", "system": "first"},
        "tags": {
            "role_tag": "who",
            "content_tag": "what",
            "user_tag": "me",
            "assistant_tag": "it",
        },
    },
    "far": {"hf_hub_url": "a/b", "subset": "c", "split": "test"},
}


@pytest.fixture
def listed(tmp_path):
    """The path of a list of data sets."""
    record = {"do": "Say the mood.", "on": "A fine day.", "so": "good"}
    written(tmp_path, [record], "mood.json")
    turns = [{"who": "me", "what": "A poor day."}, {"who": "it", "what": "bad"}]
    written(tmp_path, {"turns": turns, "first": "Say the mood."}, "chat.jsonl")
    return written(tmp_path, ENTRIES, "dataset_info.json")


def test_entries_say_where_the_parts_of_a_record_are(listed):
    assert rows(listed.with_name("dataset_info.json#mood")) == [(1, GOOD)]
    assert rows(listed.with_name("dataset_info.json#chat")) == [(1, BAD)]


def test_an_entry_may_name_a_data_set_of_the_hub(listed, monkeypatch):
    asked_for = []

    def hub_rows(self, path):
        asked_for.append(str(path))
        yield 1, ALPACA[0]

    monkeypatch.setattr(REGISTRY.get("hub"), "rows", hub_rows)
    assert rows(listed.with_name("dataset_info.json#far")) == [(1, GOOD)]
    assert asked_for == ["hub:a/b:c#test"]


def test_the_task_of_an_entry_has_its_name(listed):
    records = [{"do": "", "on": words, "so": label} for words, label in ("ab", "cd", "ef")]
    written(listed.parent, records, "mood.json")
    task = task_from_file(listed.with_name("dataset_info.json#mood"))
    assert task.name == "mood"
    assert len(load_dataset(task).train) == 3


@pytest.mark.parametrize(
    ("entry", "error", "hint"),
    [
        ({"file_name": "a.json", "ranking": True}, "a ranking is not read", "one question"),
        ({"file_name": "a.json", "columns": {"images": "i"}}, "'images' is not read", "all text"),
        ({"file_name": "a.json", "columns": ["a"]}, "'columns' is no mapping", "{key: name}"),
        ({"file_name": "a.json", "formatting": "x"}, "unknown formatting 'x'", "sharegpt"),
        ({"script_url": "run.py"}, "'script_url' is not read", "file_name"),
        ({}, "no 'file_name'", "hf_hub_url"),
        ({"file_name": "dataset_info.json#bad"}, "is a list of data sets", "a data file"),
    ],
)
def test_an_entry_that_asks_for_what_is_not_read_is_refused(tmp_path, entry, error, hint):
    written(tmp_path, {"bad": entry}, "dataset_info.json")
    place = tmp_path / "dataset_info.json#bad"
    with pytest.raises(DataError) as caught:
        rows(place)
    assert caught.value.message.startswith(f"{place}: ")
    assert error in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["dataset_info.json", "dataset_info.json#moood"])
def test_a_list_without_that_entry_names_those_it_has(listed, name):
    with pytest.raises(DataError, match=r"dataset_info\.json: ") as caught:
        rows(listed.with_name(name))
    assert "mood" in caught.value.hint
