from pathlib import Path

import pytest

from textune.approaches.base import Context
from textune.approaches.tfidf import Tfidf
from textune.bundles.bundle import Bundle, load_bundle, save_bundle
from textune.tasks.base import TaskSpec, load_task
from textune.tasks.dataset import load_dataset


@pytest.fixture
def task(moods: Path) -> TaskSpec:
    """The task of the moods."""
    return load_task("mood.yaml", beside=moods)


@pytest.fixture
def folder(moods: Path, task: TaskSpec) -> Path:
    """A bundle on disk: TF-IDF fitted on all the moods."""
    rows = load_dataset(task).train.rows
    predictor = Tfidf().fit(task, rows, (), seed=0, context=Context())
    save_bundle(moods / "bundle", task, Tfidf(), predictor)
    return moods / "bundle"


@pytest.fixture
def bundle(folder: Path) -> Bundle:
    """The same in memory."""
    return load_bundle(folder, context=Context())
