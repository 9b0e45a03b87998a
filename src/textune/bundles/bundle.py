"""Bundle: a fitted approach in a folder with its task, ready to be used; no pickle, no code.

bundle.json      task, approach, version and notes
adapter/ ...     what the approach itself wrote
"""

import json
from dataclasses import dataclass
from pathlib import Path

from textune import __version__
from textune.approaches.base import REGISTRY, Approach, Context, Notes, Predictor
from textune.core import files
from textune.core.artifacts import write_json
from textune.core.config import PluginOf, parse, plain
from textune.core.errors import ConfigError, StoreError
from textune.tasks.base import TaskSpec

FORMAT = 1
NAME = "bundle.json"


@dataclass(frozen=True)
class Bundle:
    """What a bundle folder holds, in memory."""

    task: TaskSpec
    approach: Approach
    predictor: Predictor


def save_bundle(folder: Path, task: TaskSpec, approach: Approach, predictor: Predictor) -> None:
    """Write a bundle by rename; where settings were searched for, it names the chosen ones.

    Raises:
        StoreError: the folder cannot be written.
    """
    with files.replacing(folder) as temporary:
        temporary.mkdir()
        predictor.save(temporary)
        write_description(temporary, task, predictor.settled or approach, predictor.notes)


def write_description(folder: Path, task: TaskSpec, approach: Approach, notes: Notes) -> None:
    """``bundle.json``, which makes a bundle of what the approach itself wrote."""
    content = {
        "format": FORMAT,
        "textune": __version__,
        "task": plain(task),
        "approach": plain(approach),
        "notes": notes,
    }
    write_json(folder / NAME, content)


def load_bundle(folder: Path, *, context: Context) -> Bundle:
    """Read a bundle.

    Raises:
        StoreError: this is no bundle, it is damaged, or of another format; names the file.
    """
    task, approach = describe_bundle(folder)
    try:
        predictor = approach.load(task, folder, context=context)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _damaged(folder, f"{type(error).__name__}: {error}") from None
    return Bundle(task, approach, predictor)


def is_bundle(folder: Path) -> bool:
    """Whether this is the folder of a bundle."""
    return (folder / NAME).is_file()


def describe_bundle(folder: Path) -> tuple[TaskSpec, Approach]:
    """What a bundle solves and how, without what was fitted.

    Raises:
        StoreError: as ``load_bundle``.
    """
    path = folder / NAME
    if not is_bundle(folder):
        raise StoreError(
            f"{folder} is no bundle: it has no {NAME}", hint="make one with: textune fit"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise StoreError(
                f"{path} has format {content['format']}, this textune reads {FORMAT}",
                hint=f"use textune {content['textune']}, which wrote it, or fit it again",
            )
        task = parse(TaskSpec, content["task"], where=str(path))
        approach = PluginOf(REGISTRY).build(content["approach"], where=str(path))
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        reason = error.message if isinstance(error, ConfigError) else str(error)
        raise _damaged(path, reason) from None
    return task, approach


def _damaged(path: Path, reason: str) -> StoreError:
    hint = "fit it again, or take it from a copy"
    return StoreError(f"damaged bundle {path}: {reason}", hint=hint)
