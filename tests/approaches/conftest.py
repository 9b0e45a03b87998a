import json
import re

import pytest

from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset
from textune.testing import tiny_encoder_folder, tiny_model_folder


@pytest.fixture(scope="session")
def classify_task():
    return load_task("citation-sample")


@pytest.fixture(scope="session")
def classify_examples(classify_task):
    return load_dataset(classify_task).train.rows[:60]


@pytest.fixture(scope="session")
def pair_task():
    return load_task("questions-sample")


@pytest.fixture(scope="session")
def pair_examples(pair_task):
    return load_dataset(pair_task).train.rows[:45]


@pytest.fixture(scope="session")
def extract_task(classify_examples, tmp_path_factory):
    """Every word in capitals is a Name, every year a Year."""
    path = tmp_path_factory.mktemp("extract") / "words.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for example in classify_examples:
            text = example.texts[0]
            found = [
                [m.start(), m.end(), "Year" if m[0].isdigit() else "Name"]
                for m in re.finditer(r"\b[A-Z][A-Za-z]+\b|\b[0-9]{4}\b", text)
            ]
            file.write(json.dumps({"text": text, "entities": found}) + "\n")
    return load_task(
        {
            "name": "words",
            "kind": "extract",
            "instruction": "List names and years.",
            "labels": {"Name": "", "Year": ""},
            "data": {"train": str(path), "columns": {"answer": "entities"}},
        }
    )


@pytest.fixture(scope="session")
def extract_examples(extract_task):
    return load_dataset(extract_task).train.rows


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory, classify_examples, pair_examples):
    texts = [text for e in (*classify_examples, *pair_examples) for text in e.texts]
    return tiny_encoder_folder(tmp_path_factory.mktemp("encoder"), texts)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory, classify_examples):
    texts = [example.texts[0] for example in classify_examples]
    return tiny_model_folder(tmp_path_factory.mktemp("tiny"), texts)
