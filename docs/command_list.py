"""The commands of ``textune`` with their arguments and options, read from their signatures."""

import inspect
import typing
from dataclasses import dataclass
from typing import Any

from typer.models import OptionInfo

from textune.cli.main import app


@dataclass(frozen=True)
class Parameter:
    """An argument or option of a command."""

    shown: str
    """``--seed`` or ``BUNDLE``."""
    default: str
    help: str


@dataclass(frozen=True)
class Command:
    """A command of ``textune``."""

    name: str
    help: str
    parameters: tuple[Parameter, ...]

    @property
    def options(self) -> frozenset[str]:
        """All that may be written with dashes."""
        shown = [p.shown for p in self.parameters if p.shown.startswith("--")]
        return frozenset({"--help", *(part for text in shown for part in text.split(" / "))})


def commands() -> list[Command]:
    """Every command with its arguments and options, in the order of ``textune --help``."""
    found = []
    for registered in app.registered_commands:
        call = registered.callback
        assert call is not None, registered
        hints = typing.get_type_hints(call, include_extras=True)
        parameters = [
            _parameter(name, hints[name], each.default)
            for name, each in inspect.signature(call).parameters.items()
        ]
        name = registered.name or call.__name__
        found.append(Command(name, inspect.getdoc(call) or "", tuple(parameters)))
    return found


def _parameter(name: str, hint: Any, default: object) -> Parameter:
    kind, info = typing.get_args(hint)
    needed = default is inspect.Parameter.empty
    if not isinstance(info, OptionInfo):
        shown = name.upper() if needed else f"[{name.upper()}]"
        return Parameter(shown, _default(default, needed=needed), info.help or "")
    declared = info.default if isinstance(info.default, str) else ""  # as in Option("--json")
    shown = declared or f"--{name.replace('_', '-')}"
    if kind is bool and not declared:
        shown += f" / --no-{shown[2:]}"
    return Parameter(shown, _default(default, needed=needed), info.help or "")


def _default(value: object, *, needed: bool) -> str:
    if needed or value is None:
        return "needed" if needed else ""
    return "off" if value is False else f"`{value}`"
