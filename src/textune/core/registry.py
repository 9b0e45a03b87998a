"""The folder is the registry: ``methods/lora.py`` holds one ``Method`` and is called ``lora``.

A module whose name begins with an underscore holds what several of them share.

Other packages add plug-ins by an entry point of the group ``textune.<folder>`` whose name is the
name of the module that it points to. Nothing is imported before it is asked for.
"""

import importlib
import pkgutil
from typing import ClassVar, Generic, TypeVar

from textune.core.errors import ConfigError, did_you_mean


class Spec:
    """Base of every frozen dataclass that a file can describe: unknown keys are refused."""

    __pydantic_config__: ClassVar[dict[str, object]] = {
        "extra": "forbid",
        "strict": True,
        "use_attribute_docstrings": True,
    }


class Plugin(Spec):
    """Base of everything that lives in a registry folder; its name is its module's name."""

    name: ClassVar[str] = ""
    revision: ClassVar[int] = 1
    """Raised when the plug-in's results change, so that exactly its cells run again."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__module__.rpartition(".")[2]

    @classmethod
    def summary(cls) -> str:
        """The first line of the class's docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]


P = TypeVar("P", bound=Plugin)


class Registry(Generic[P]):
    """The plug-ins of one folder, by name."""

    def __init__(self, package: str, base: type[P], *, noun: str) -> None:
        self.package = package
        self.base = base
        self.noun = noun
        self.group = f"textune.{package.rpartition('.')[2]}"

    def names(self) -> list[str]:
        """All names, sorted; reads the folder and the entry points, imports no plug-in."""
        return list(self._places())

    def all(self) -> list[type[P]]:
        """Every plug-in class, sorted by name.

        Raises:
            ConfigError: as ``get``.
        """
        return [self._load(name, place) for name, place in self._places().items()]

    def get(self, name: str) -> type[P]:
        """The plug-in class of that name.

        Raises:
            ConfigError: there is none, or its module cannot be imported or does not hold exactly
                one.
        """
        places = self._places()
        if name not in places:
            hint = did_you_mean(name, places)
            raise ConfigError(f"unknown {self.noun} {name!r}", hint=hint)
        return self._load(name, places[name])

    def _places(self) -> dict[str, str]:
        """Name -> the module that holds it, sorted; looking through all packages is slow."""
        from importlib.metadata import entry_points

        folder = importlib.import_module(self.package).__path__
        names = {m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_")}
        built_in = {name: f"{self.package}.{name}" for name in names - {"base"}}
        outside = {e.name: e.value.partition(":")[0] for e in entry_points(group=self.group)}
        return dict(sorted((built_in | outside).items()))

    def _load(self, name: str, place: str) -> type[P]:
        try:
            module = importlib.import_module(place)
        except ImportError as error:
            raise ConfigError(
                f"cannot import {place}, which holds the {self.noun} {name!r}: {error}",
                hint="install what it needs",
            ) from error
        found = [
            item
            for item in vars(module).values()
            if isinstance(item, type)
            and issubclass(item, self.base)
            and item.__module__ == module.__name__
        ]
        if len(found) != 1 or found[0].name != name:
            raise ConfigError(
                f"{module.__name__} must hold exactly one {self.base.__name__} and be the module "
                f"{name!r}, found {len(found)}",
                hint="the folder is the registry: one plug-in a module, named after it",
            )
        return found[0]
