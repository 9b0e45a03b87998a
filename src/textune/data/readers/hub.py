"""Data sets of the Hugging Face Hub, by id; needs the package ``datasets``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from textune.core.errors import DataError
from textune.data.readers.base import Reader, Row

SCHEME = "hub:"
FORM = re.compile(
    r"(?P<id>[^@:#/]+(/[^@:#/]+)?)(@(?P<revision>[^@:#]+))?(:(?P<config>[^@:#]+))?(#(?P<split>[^@:#]+))?"
)
NO_SCRIPTS = 4
"""The first version of ``datasets`` that runs no code of a data set."""


@dataclass(frozen=True, kw_only=True)
class Hub(Reader):
    """A data set of the Hub: ``hub:owner/name@revision:config#split``.

    Revision, config and split may be left out; the split is then ``train``. Class numbers become
    the names of the classes. Code of a data set is never run.
    """

    scheme: ClassVar[str] = SCHEME
    unit: ClassVar[str] = "row"

    def rows(self, path: Path) -> Iterator[tuple[int, Row]]:
        """Yield (row number from 1, fields as Python values).

        Raises:
            DataError: ``datasets`` is missing or too old, or the data set cannot be had.
        """
        place = str(path)
        found = FORM.fullmatch(place.removeprefix(SCHEME))
        if found is None:
            hint = "write hub:owner/name@revision:config#split; the last three may be left out"
            raise DataError(f"{place}: no data set of the Hub", hint=hint)
        part = found.groupdict()
        dataset = _load(
            place, part["id"], part["config"], part["split"] or "train", part["revision"]
        )
        names = {
            column: list(feature.names)
            for column, feature in (dataset.features or {}).items()
            if hasattr(feature, "names")
        }
        for number, row in enumerate(dataset, start=1):
            yield number, {key: _named(value, names.get(key)) for key, value in row.items()}


def _load(place: str, id: str, config: str | None, split: str, revision: str | None) -> Any:
    try:
        import datasets
    except ImportError:
        hint = "pip install 'textune[hub]'"
        raise DataError(f"{place}: the package datasets is missing", hint=hint) from None
    if int(datasets.__version__.partition(".")[0]) < NO_SCRIPTS:
        what = f"{place}: datasets {datasets.__version__} runs code of a data set"
        raise DataError(what, hint="pip install -U 'textune[hub]'")
    try:
        return datasets.load_dataset(id, config, split=split, revision=revision)
    except Exception as error:  # of many kinds: network, Hub, file formats
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"{place}: {reason}",
            hint="check id, config, split and network; offline, only what was fetched before is "
            "found; a data set that needs code of its own must be made into files first",
        ) from None


def _named(value: Any, names: list[str] | None) -> Any:
    """The name of a class; numbers outside, as of hidden test labels, become nothing."""
    if names is None or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None
