"""How fitted parts lie on disk: JSON for words, safetensors for numbers, never pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from textune.core.errors import StoreError

_HINT = "fit it again, or take it from a copy"


def write_json(path: Path, content: Any) -> None:
    """A JSON file in UTF-8."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def read_json(path: Path) -> Any:
    """What ``write_json`` wrote.

    Raises:
        StoreError: missing or damaged; names the file.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"damaged bundle file {path}: {error}", hint=_HINT) from None


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Named arrays as safetensors."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, path)


def read_arrays(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """What ``write_arrays`` wrote.

    Raises:
        StoreError: missing, damaged, or without one of the names; names the file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
        return {name: arrays[name] for name in names}
    except (OSError, SafetensorError, KeyError) as error:
        raise StoreError(f"damaged bundle file {path}: {error}", hint=_HINT) from None
