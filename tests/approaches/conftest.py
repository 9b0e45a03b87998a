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
def grade_task(pair_examples, tmp_path_factory):
    """Duplicates are graded high, with steps of a quarter."""
    path = tmp_path_factory.mktemp("grade") / "pairs.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for place, example in enumerate(pair_examples):
            grade = (1 if example.answer == "duplicate" else 0) + (place % 5) / 4
            row = {"a": example.texts[0], "b": example.texts[1], "grade": grade}
            file.write(json.dumps(row) + "\n")
    return load_task(
        {
            "name": "alike",
            "kind": "grade",
            "instruction": "Say how alike the questions are.",
            "labels": {"0": "not at all", "1": "", "2": "the same"},
            "data": {"train": str(path), "columns": {"text": ["a", "b"], "answer": "grade"}},
        }
    )


@pytest.fixture(scope="session")
def grade_examples(grade_task):
    return load_dataset(grade_task).train.rows


@pytest.fixture(scope="session")
def sets_task(classify_examples, tmp_path_factory):
    """Which of three words a text has."""
    path = tmp_path_factory.mktemp("sets") / "texts.jsonl"
    signs = {"in": r"\bin\b", "and": r"\band\b", "et al": r"\bet al\b"}
    with path.open("w", encoding="utf-8") as file:
        for example in classify_examples:
            text = example.texts[0]
            found = [name for name, sign in signs.items() if re.search(sign, text)]
            file.write(json.dumps({"text": text, "label": found}) + "\n")
    return load_task(
        {
            "name": "words",
            "kind": "multilabel",
            "instruction": "Say which words the text has.",
            "labels": {"in": "", "and": "", "et al": "and others"},
            "data": {"train": str(path)},
        }
    )


@pytest.fixture(scope="session")
def sets_examples(sets_task):
    return load_dataset(sets_task).train.rows


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


TOPICS = [
    *("method", "data", "model", "paper", "study", "work", "theory"),
    *("image", "language", "network", "result", "tool", "field"),
]


@pytest.fixture
def planted(tmp_path):
    """Makes a task and examples in which the words of a text decide everything."""

    def make(kind, num_labels, *, size=60):
        topics = TOPICS[:num_labels]
        rows = [_planted(kind, topics, place) for place in range(size)]
        path = tmp_path / f"{kind}-{num_labels}.jsonl"
        lines = (json.dumps({"id": str(i), **row}) + "\n" for i, row in enumerate(rows))
        path.write_text("".join(lines), encoding="utf-8")
        text = ["text", "other"] if kind == "pair" else "text"
        labels = ["same", "different"] if kind == "pair" and num_labels == 2 else topics
        task = load_task(
            {
                "name": "planted",
                "kind": kind,
                "instruction": "Say what the words say.",
                "labels": dict.fromkeys(labels, ""),
                "data": {"train": str(path), "columns": {"text": text, "id": "id"}},
            }
        )
        return task, load_dataset(task).train.rows

    return make


def _planted(kind, topics, place):
    """Two labels of pairs say whether both texts are about one thing, more what the second is."""
    topic, other = topics[place % len(topics)], topics[place // len(topics) % len(topics)]
    text = f"{'this is ' * (1 + place % 3)}about the {topic} of {1990 + place}"
    if kind == "classify":
        return {"text": text, "label": topic}
    if kind == "pair":
        same = "same" if topic == other else "different"
        label = same if len(topics) == 2 else other
        return {"text": text, "other": f"we discuss the {other} here", "label": label}
    start = text.index(topic)
    return {"text": text, "label": [[start, start + len(topic), topic]]}
