"""Data sets of the Hub, with a stand-in for the package that fetches them."""

import sys
import types
from pathlib import Path

import pytest

from textune.core.errors import DataError
from textune.data.readers.base import is_there, reader_for
from textune.tasks.dataset import load_dataset, task_from_file


class Fetched(list):
    """Rows with features, as ``datasets`` gives them."""

    features = {
        "sentence": types.SimpleNamespace(dtype="string"),
        "label": types.SimpleNamespace(names=["no", "yes"]),
    }


ROWS = Fetched({"sentence": f"It is {n}.", "label": n % 2, "idx": n} for n in range(4))


@pytest.fixture
def asked_for(monkeypatch):
    """What the package was asked for."""
    calls = []

    def load_dataset(id, config, **options):
        calls.append((id, config, options))
        return ROWS

    module = types.SimpleNamespace(__version__="5.2.0", load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", module)
    return calls


def rows(place):
    return list(reader_for(Path(place)).rows(Path(place)))


def test_classes_have_their_names(asked_for):
    assert rows("hub:owner/name")[:2] == [
        (1, {"sentence": "It is 0.", "label": "no", "idx": 0}),
        (2, {"sentence": "It is 1.", "label": "yes", "idx": 1}),
    ]


def test_hidden_labels_are_nothing(asked_for, monkeypatch):
    module = sys.modules["datasets"]
    hidden = Fetched([{"sentence": "a", "label": -1}])
    monkeypatch.setattr(module, "load_dataset", lambda *_, **__: hidden)
    assert rows("hub:owner/name") == [(1, {"sentence": "a", "label": None})]


@pytest.mark.parametrize(
    ("place", "call"),
    [
        ("hub:owner/name", ("owner/name", None, {"split": "train", "revision": None})),
        ("hub:imdb#test", ("imdb", None, {"split": "test", "revision": None})),
        (
            "hub:nyu-mll/glue@0123abc:cola#validation",
            ("nyu-mll/glue", "cola", {"split": "validation", "revision": "0123abc"}),
        ),
    ],
)
def test_a_place_names_revision_config_and_split(asked_for, place, call):
    rows(place)
    assert asked_for == [call]


def test_a_data_set_of_the_hub_makes_a_task(asked_for):
    assert is_there(Path("hub:owner/name"))
    task = task_from_file(Path("hub:owner/name:part#train"))
    assert (task.name, set(task.labels)) == ("name-part", {"no", "yes"})
    assert load_dataset(task).train.answers == ["no", "yes", "no", "yes"]


@pytest.mark.parametrize("place", ["hub:", "hub:a/b/c", "hub:a b@", "hub:a#b#c"])
def test_another_form_is_refused(asked_for, place):
    with pytest.raises(DataError, match="no data set of the Hub") as caught:
        rows(place)
    assert "hub:owner/name@revision" in caught.value.hint


def test_what_cannot_be_fetched_is_one_line(asked_for, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("Couldn't reach 'owner/name' on the Hub\nOfflineModeIsEnabled")

    monkeypatch.setattr(sys.modules["datasets"], "load_dataset", refuse)
    with pytest.raises(DataError) as caught:
        rows("hub:owner/name")
    assert caught.value.message == "hub:owner/name: Couldn't reach 'owner/name' on the Hub"
    assert "network" in caught.value.hint


def test_a_package_that_runs_code_of_data_sets_is_refused(asked_for, monkeypatch):
    monkeypatch.setattr(sys.modules["datasets"], "__version__", "3.6.0")
    with pytest.raises(DataError, match=r"datasets 3\.6\.0 runs code"):
        rows("hub:owner/name")
    assert asked_for == []


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="the package datasets is missing") as caught:
        rows("hub:owner/name")
    assert caught.value.hint == "pip install 'textune[hub]'"
