"""Parts of library tasks, read once."""

from functools import cache

import pytest

from textune.data.examples import Examples
from textune.tasks.base import load_task
from textune.tasks.dataset import load_dataset


@pytest.fixture
def real(real_data, monkeypatch):
    """Reads the parts of a library task, each task once."""
    monkeypatch.setenv("TEXTUNE_DATA", str(real_data))
    return _load


@cache
def _load(name: str) -> tuple[Examples, Examples]:
    dataset = load_dataset(load_task(name))
    assert dataset.test is not None
    return dataset.train, dataset.test
