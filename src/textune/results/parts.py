"""The folder of a study with parts: each part is a run folder of its own in it.

<folder>/parts.yaml     name of the study, and its parts in order
<folder>/<part>/        a run folder
<folder>/report/        the report over all parts
"""

from dataclasses import dataclass
from pathlib import Path

from textune.core import files
from textune.core.config import dump_yaml, parse, plain, read_yaml
from textune.core.errors import ConfigError, StoreError
from textune.core.registry import Spec

FILE = "parts.yaml"
RESERVED = ("report",)
"""What no part can be called: it stands beside them."""


@dataclass(frozen=True, kw_only=True)
class PartsSpec(Spec):
    """A study with parts."""

    name: str
    parts: tuple[str, ...]
    """In the order of the study file."""


def has_parts(folder: Path) -> bool:
    """Whether this is the folder of a study with parts."""
    return (folder / FILE).is_file()


def save_parts(folder: Path, parts: PartsSpec) -> None:
    """Write ``parts.yaml``.

    Raises:
        StoreError: the folder cannot be written.
    """
    files.write_text(folder / FILE, dump_yaml(plain(parts)))


def load_parts(folder: Path) -> PartsSpec:
    """The parts of a folder that has them.

    Raises:
        StoreError: its ``parts.yaml`` is damaged.
    """
    path = folder / FILE
    try:
        return parse(PartsSpec, read_yaml(path), where=str(path))
    except ConfigError as error:
        hint = "run the study again: finished cells are kept"
        raise StoreError(f"damaged {error.message}", hint=hint) from None
