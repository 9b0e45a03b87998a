"""YAML 1.2 in, frozen dataclasses out, and back; one fingerprint for whatever can be described.

What is not covered: where files live, and any default (a default stands in its dataclass).
"""

import dataclasses
import hashlib
import json
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from textune.core.errors import ConfigError, did_you_mean
from textune.core.registry import Plugin, Registry

_YAML_HINT = "see this line and the one above: indent by spaces, close brackets and quotes"

T = TypeVar("T")
_ADDED = "added"
"""Marks an option, in its field's metadata, that came later than results."""
Json = dict[str, Any] | list[Any] | str | int | float | bool | None


def read_yaml(path: Path) -> Json:
    """The plain content of a YAML 1.2 file (``2e-4`` is a number, ``no`` is a word).

    Raises:
        ConfigError: the file is missing, not UTF-8, or not YAML; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"no such file: {path}", hint="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}", hint="save it as UTF-8 text") from None
    return parse_yaml(text, where=str(path))


def parse_yaml(text: str, *, where: str) -> Json:
    """As ``read_yaml``, from a string; ``where`` names it in errors."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return typing.cast("Json", YAML(typ="safe", pure=True).load(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        problem = str(error.problem or error.context).split("\n")[0]
        raise ConfigError(f"{where}, line {line}: not YAML: {problem}", hint=_YAML_HINT) from None
    except YAMLError as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(f"{where}: not YAML: {problem}", hint=_YAML_HINT) from None


def dump_yaml(content: Json) -> str:
    """YAML text of plain content, keys in the order given."""
    import io

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # the dataclass's order; declared as None
    yaml.width = 100
    stream = io.StringIO()
    yaml.dump(content, stream)
    return stream.getvalue()


def parse(cls: type[T], content: Json, *, where: str) -> T:
    """Plain content as an instance of ``cls``, strictly: no unknown key, no conversion of types.

    Raises:
        ConfigError: names the place (``study.yaml: protocol.folds``), the value and a hint.
    """
    from pydantic import ValidationError

    if not isinstance(content, dict):
        hint = "write lines of the form key: value"
        raise ConfigError(f"{where}: expected a mapping, found {_shown(content)}", hint=hint)
    try:
        return typing.cast("T", _adapter(cls).validate_json(json.dumps(content, default=str)))
    except ValidationError as error:
        raise _explain(cls, [dict(e) for e in error.errors()], where) from None
    except ConfigError as error:  # of a plug-in or a check inside
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None


def json_schema(cls: type[Any]) -> dict[str, Any]:
    """The JSON schema of what ``parse`` accepts for ``cls``, with field docstrings as texts.

    Pydantic reads docstrings of the class itself; those of inherited fields are added here.
    """
    schema = typing.cast("dict[str, Any]", _adapter(cls).json_schema())
    for base in cls.__mro__[1:]:
        if dataclasses.is_dataclass(base) and dataclasses.fields(base):
            for name, described in json_schema(base)["properties"].items():
                if "description" in described:
                    schema["properties"][name].setdefault("description", described["description"])
    return schema


def plain(value: object) -> Json:
    """A description as plain JSON content; ``parse`` reads it back.

    A plug-in becomes ``{name: {field: value, ...}}``.
    """
    if isinstance(value, Plugin):
        return {value.name: _fields(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    assert value is None or isinstance(value, str | int | float | bool), value
    return value


def added(default: T) -> T:
    """The default of an option that came later than results: it changes no fingerprint.

    What such results were made with is what the option does at its default.
    """
    return dataclasses.field(default=default, metadata={_ADDED: True})


def fingerprint(*parts: object) -> str:
    """Sixteen hex digits over plain forms; plug-ins count with their revision.

    An ``added`` option counts where it has another value than its default. A field with
    ``compare=False`` says how to work, changes no result and never counts.
    """
    text = json.dumps([_revised(part) for part in parts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class PluginOf:
    """Marks a field that names a plug-in: ``lora`` or ``{lora: {rank: 8}}``.

    Used as ``Annotated[Method, PluginOf(REGISTRY)]``.
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def build(self, reference: object, *, where: str) -> Any:
        """The plug-in instance that a reference describes.

        Raises:
            ConfigError: the form, the name or an option is wrong.
        """
        if isinstance(reference, str):
            reference = {reference: {}}
        if not isinstance(reference, dict) or len(reference) != 1:
            raise ConfigError(
                f"{where}: expected one {self.registry.noun}, found {_shown(reference)}",
                hint=f"write a name, or {{name: {{option: value}}}}; names: "
                f"{', '.join(self.registry.names())}",
            )
        name, options = next(iter(reference.items()))
        try:
            cls = self.registry.get(str(name))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None
        return parse(cls, {} if options is None else options, where=f"{where}: {name}")

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> Any:
        """Validation by ``build``; an instance passes as it is."""
        from pydantic_core import core_schema

        def validate(value: object, info: Any) -> object:
            place = info.field_name or self.registry.noun
            return value if isinstance(value, Plugin) else self.build(value, where=place)

        return core_schema.with_info_plain_validator_function(validate)

    def __get_pydantic_json_schema__(self, schema: object, handler: object) -> dict[str, Any]:
        """One alternative for each plug-in of the folder; names alone inside one of its own."""
        names = self.registry.names()
        forms: list[dict[str, Any]] = [{"enum": names}]
        if self.registry in _DESCRIBED:
            return {"anyOf": [*forms, {"type": "object"}]}
        _DESCRIBED.append(self.registry)
        try:
            for name in names:
                options = json_schema(self.registry.get(name))
                options = _inlined(options, options.pop("$defs", {}))
                forms.append(
                    {
                        "type": "object",
                        "properties": {name: options},
                        "required": [name],
                        "additionalProperties": False,
                    }
                )
        finally:
            _DESCRIBED.pop()
        return {"anyOf": forms}


_DESCRIBED: list[Registry[Any]] = []
"""Registries whose plug-ins are being described; a plug-in may hold another one of its folder."""
_ADAPTERS: dict[type[Any], Any] = {}


def _adapter(cls: type[Any]) -> Any:
    """Pydantic's validator of a class, built once."""
    from pydantic import TypeAdapter

    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls)
    return _ADAPTERS[cls]


def _inlined(part: Any, definitions: dict[str, Any]) -> Any:
    """A schema with every reference replaced by what it refers to, so that it can be moved."""
    if isinstance(part, list):
        return [_inlined(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    own = {key: _inlined(item, definitions) for key, item in part.items() if key != "$ref"}
    if "$ref" not in part:
        return own
    return {**_inlined(definitions[part["$ref"].rpartition("/")[2]], definitions), **own}


def _fields(value: Any) -> dict[str, Json]:
    return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}


def _revised(value: object) -> Json:
    if isinstance(value, list | tuple):
        return [_revised(item) for item in value]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return plain(value)
    fields = {
        f.name: _revised(getattr(value, f.name))
        for f in dataclasses.fields(value)
        if f.compare and not (f.metadata.get(_ADDED) and getattr(value, f.name) == f.default)
    }
    return {f"{value.name}@{value.revision}": fields} if isinstance(value, Plugin) else fields


def _explain(cls: type[Any], errors: list[dict[str, Any]], where: str) -> ConfigError:
    """The error to report: an unknown key first, as it often is what is missing elsewhere."""
    unknown = ("unexpected_keyword_argument", "extra_forbidden")
    error = next((e for e in errors if e["type"] in unknown), errors[0])
    place = ".".join(str(part) for part in error["loc"] if not _is_branch(part))
    if error["type"] in unknown:
        key = str(error["loc"][-1])
        allowed = _keys_at(cls, error["loc"][:-1])
        return ConfigError(f"{where}: unknown key {place!r}", hint=did_you_mean(key, allowed))
    if error["type"] in ("missing", "missing_argument"):
        return ConfigError(f"{where}: {place!r} is missing", hint="add this key")
    problem = error["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return ConfigError(f"{where}: {place} cannot be {_shown(error['input'])}", hint=problem)


def _is_branch(part: object) -> bool:
    """Pydantic names the branch of a union in the path; users did not write it."""
    return isinstance(part, str) and ("[" in part or part in ("str", "int", "float", "bool"))


def _keys_at(cls: Any, path: tuple[object, ...]) -> list[str]:
    for part in path:
        if dataclasses.is_dataclass(cls):
            cls = typing.get_type_hints(cls).get(str(part), Any)
        else:
            cls = (typing.get_args(cls) or (Any,))[-1 if typing.get_origin(cls) is dict else 0]
        if typing.get_origin(cls) in (typing.Union, types.UnionType):
            options = typing.get_args(cls)
            cls = next((o for o in options if dataclasses.is_dataclass(o)), options[0])
    return [f.name for f in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
