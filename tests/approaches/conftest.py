import pytest

from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset
from textune.testing import tiny_model_folder


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
def tiny_folder(tmp_path_factory, classify_examples):
    texts = [example.texts[0] for example in classify_examples]
    return tiny_model_folder(tmp_path_factory.mktemp("tiny"), texts)
