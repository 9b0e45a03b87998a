"""Sizes of memory in the words of a command line."""

import re

from textune.core.errors import ConfigError

UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30}


def bytes_of(text: str | None, option: str) -> int | None:
    """Bytes that an option names; None where it is not given.

    Raises:
        ConfigError: that is no number above 0 with a unit.
    """
    if text is None:
        return None
    found = re.fullmatch(r"\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*([a-zA-Z]*)\s*", text)
    size = float(found[1]) * UNITS.get(found[2].lower(), 0) if found else 0.0
    if size <= 0:
        raise ConfigError(f"{option}: cannot read {text!r}", hint="for example 2GiB or 800MB")
    return int(size)
