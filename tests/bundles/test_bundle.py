import json

import pytest

from textune.approaches.base import Context
from textune.approaches.majority import Majority
from textune.approaches.tfidf import Tfidf
from textune.bundles.bundle import load_bundle, save_bundle
from textune.core.errors import StoreError
from textune.tasks.dataset import load_dataset


def load(folder):
    return load_bundle(folder, context=Context())


def change(path, **changes):
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_a_bundle_says_again_what_was_fitted(folder, task):
    rows = load_dataset(task).train.rows
    fitted = Tfidf().fit(task, rows, (), seed=0, context=Context())
    bundle = load(folder)
    assert (bundle.task, bundle.approach) == (task, Tfidf())
    said, expected = bundle.predictor.predict(rows), fitted.predict(rows)
    assert said.answers == expected.answers
    assert said.scores.tolist() == expected.scores.tolist()


def test_a_bundle_holds_words_and_numbers_alone(folder):
    endings = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert endings == {".json", ".safetensors"}


def test_a_bundle_takes_the_place_of_an_older_one(folder, task):
    rows = load_dataset(task).train.rows
    predictor = Majority().fit(task, rows, (), seed=0, context=Context())
    save_bundle(folder, task, Majority(), predictor)
    assert load(folder).approach == Majority()
    assert {path.name for path in folder.iterdir()} == {"bundle.json", "majority.json"}


def test_a_full_disk_leaves_the_older_bundle(folder, task, full_disk):
    predictor = load(folder).predictor
    with full_disk(), pytest.raises(StoreError, match="No space left"):
        save_bundle(folder, task, Majority(), predictor)
    assert load(folder).approach == Tfidf()
    assert {path.name for path in folder.parent.iterdir() if path.name.startswith(".")} == set()


def test_a_folder_without_description_is_no_bundle(tmp_path):
    with pytest.raises(StoreError, match=r"is no bundle: it has no bundle.json"):
        load(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"text"', "{}", '{"format": 1}'])
def test_a_damaged_description_is_refused_by_name(folder, content):
    (folder / "bundle.json").write_text(content)
    with pytest.raises(StoreError, match=r"damaged bundle .*bundle\.json: ."):
        load(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": {"name": "x"}}, "is missing"),
        ({"approach": "nobody"}, "unknown approach 'nobody'"),
        ({"approach": {"tfidf": {"word": 2}}}, "unknown key 'word'"),
        ({"approach": {}}, "expected one approach"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(folder, changes, said):
    change(folder / "bundle.json", **changes)
    with pytest.raises(StoreError, match=said) as raised:
        load(folder)
    assert "bundle.json" in raised.value.message


def test_a_bundle_of_another_format_names_who_can_read_it(folder):
    change(folder / "bundle.json", format=99, textune="9.8.7")
    with pytest.raises(StoreError, match="has format 99") as raised:
        load(folder)
    assert "9.8.7" in raised.value.hint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("terms-0.json", b"{"),
        ("terms-0.json", b"7"),
        ("terms-0.json", b'["one"]'),
        ("linear.safetensors", b"\x08"),
        ("rarity.safetensors", b""),
        ("linear.safetensors", None),
    ],
)
def test_a_damaged_part_is_refused_by_name(folder, name, content):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(StoreError, match=f"damaged bundle .*{folder}"):
        load(folder)


def test_a_part_that_does_not_fit_the_task_is_refused(moods, task):
    rows = load_dataset(task).train.rows
    predictor = Majority().fit(task, rows, (), seed=0, context=Context())
    save_bundle(moods / "bundle", task, Majority(), predictor)
    (moods / "bundle" / "majority.json").write_text('{"good": 0.5}')
    with pytest.raises(StoreError, match=r"damaged bundle .*'bad'"):
        load(moods / "bundle")
