"""Files that spaCy 3.8 wrote, read without it."""

import sys
import zlib
from pathlib import Path

import msgpack
import pytest

from textune.core.errors import DataError
from textune.data.readers.docbin import Docbin
from textune.data.spacy_strings import NUMBERED, by_number, string_hash

FILES = Path(__file__).parent


def changed(folder, **parts):
    """The file with entities, with parts of it replaced."""
    content = msgpack.unpackb(zlib.decompress((FILES / "entities.spacy").read_bytes()))
    path = folder / "a.spacy"
    path.write_bytes(zlib.compress(msgpack.packb({**content, **parts})))
    return path


def test_documents_have_their_text_and_entities():
    rows = list(Docbin().rows(FILES / "entities.spacy"))
    text = "Zo\u00eb Sato joined the ORG in Lima, mark my words.  Yes"
    assert rows == [
        (1, {"text": text, "entities": [[0, 8, "PERSON"], [27, 31, "Place"]]}),
        (2, {"text": "Nothing here", "entities": []}),
        (3, {"text": "", "entities": []}),
    ]


def test_documents_with_categories_have_the_one_that_is_given():
    rows = [row for _, row in Docbin().rows(FILES / "categories.spacy")]
    assert rows == [
        {"text": "a good day", "label": "good"},
        {"text": "a poor day", "label": "bad"},
        {"text": "no idea", "label": None},
    ]


def test_strings_have_the_numbers_that_spacy_gives_them():
    assert string_hash("hello") == 5983625672228268878
    assert string_hash("coffee") == 3197928453018144401
    assert (NUMBERED["PERSON"], NUMBERED["ENT_IOB"], NUMBERED["mark"]) == (380, 77, 423)
    assert by_number(["", "PERSON", "coffee"]) == {
        0: "",
        380: "PERSON",
        3197928453018144401: "coffee",
    }


def test_user_data_is_not_opened(tmp_path):
    path = changed(tmp_path, user_data=[b"cos\nsystem\n(S'exit 1'\ntR."] * 3)
    assert len(list(Docbin().rows(path))) == 3


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"tokens": b"123"}, "a.spacy: no DocBin file, or damaged: "),
        ({"lengths": b"\1\0\0\0"}, "damaged: its parts are not of one length"),
        ({"spaces": b""}, "damaged: its parts are not of one length"),
        ({"attrs": []}, "a.spacy: no DocBin file, or damaged: "),
        ({"cats": None}, "a.spacy: no DocBin file, or damaged: "),
        ({"strings": ["Yes"]}, "a.spacy, document 1: no string has the number"),
        ({"cats": [{}, {}, {"a": "b"}]}, "a.spacy, document 3: "),
    ],
)
def test_damaged_files_are_refused(tmp_path, parts, error):
    with pytest.raises(DataError) as caught:
        list(Docbin().rows(changed(tmp_path, **parts)))
    assert error in caught.value.message
    assert "\n" not in caught.value.message
    assert "with spaCy 3" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"text", zlib.compress(b"\xc1"), zlib.compress(b"\x01")])
def test_what_is_no_docbin_file_is_refused(tmp_path, content):
    path = tmp_path / "a.spacy"
    path.write_bytes(content)
    with pytest.raises(DataError, match="no DocBin file, or damaged"):
        list(Docbin().rows(path))


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        list(Docbin().rows(tmp_path / "a.spacy"))


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(DataError, match="the package msgpack is missing") as caught:
        list(Docbin().rows(FILES / "entities.spacy"))
    assert caught.value.hint == "pip install 'textune[spacy]'"
