"""``textune list`` and ``textune schema``."""

from collections.abc import Callable
from typing import Any

from textune.cli.output import print_json, print_lines, print_table
from textune.core.errors import ConfigError, did_you_mean

Table = tuple[list[str], list[list[str]]]


def show(what: str, *, as_json: bool) -> None:
    """Print one list, or all.

    Raises:
        ConfigError: there is no such list.
    """
    if what != "all" and what not in LISTS:
        raise ConfigError(f"cannot list {what!r}", hint=did_you_mean(what, [*LISTS, "all"]))
    tables = {name: LISTS[name]() for name in (LISTS if what == "all" else [what])}
    if as_json:
        content = {
            name: [dict(zip(header, row, strict=True)) for row in rows]
            for name, (header, rows) in tables.items()
        }
        print_json(content if what == "all" else content[what])
        return
    for place, (name, (header, rows)) in enumerate(tables.items()):
        if what == "all":
            print_lines([""] * bool(place) + [name.upper()])
        print_table(header, rows)


def show_schema() -> None:
    """Print the JSON schema of a study file."""
    from textune.approaches.base import REGISTRY
    from textune.core.config import PluginOf, json_schema
    from textune.study.spec import StudyFile

    schema: dict[str, Any] = json_schema(StudyFile)
    entry = PluginOf(REGISTRY).__get_pydantic_json_schema__(None, None)
    for form in entry["anyOf"][1:]:
        form["properties"]["label"] = {"type": "string", "description": "Its name in tables."}
    schema["properties"]["approaches"]["items"] = entry
    part = schema["$defs"]["PartFile"]["properties"]
    part["approaches"]["items"] = {"$ref": "#/properties/approaches/items"}
    schema["anyOf"] = [{"required": ["task", "approaches"]}, {"required": ["parts"]}]
    print_json({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def _tasks() -> Table:
    from textune.tasks.base import library_names, load_task

    tasks = [load_task(name) for name in library_names()]
    rows = [[t.name, t.kind.name, str(len(t.labels)), t.sample, t.title] for t in tasks]
    return ["name", "kind", "labels", "data", "title"], rows


def _models() -> Table:
    from pathlib import Path

    from textune.core.config import parse, read_yaml
    from textune.models.catalog import LIBRARY, ModelSpec, library_names

    specs = [
        parse(ModelSpec, read_yaml(Path(str(LIBRARY / f"{n}.yaml"))), where=n)
        for n in library_names()
    ]
    rows = [[s.name, s.form, s.licence, s.title] for s in specs]
    return ["name", "form", "licence", "title"], rows


def _methods() -> Table:
    from textune.methods.base import REGISTRY

    rows = []
    for m in REGISTRY.all():
        words = ["mergeable" * m.mergeable, "4-bit base" * m.quantised_base]
        can = ", ".join(word for word in words if word) or "-"
        rows.append([m.name, f"{m.lr:g}", m.share(), can, m.served_by, m.paper, m.summary()])
    return ["name", "lr", "trains", "can", "served by", "paper", "what it is"], rows


def _approaches() -> Table:
    from textune.approaches.base import REGISTRY

    found = REGISTRY.all()
    rows = [[a.name, a.family, ", ".join(sorted(a.kinds)), a.summary()] for a in found]
    return ["name", "family", "kinds", "what it is"], rows


LISTS: dict[str, Callable[[], Table]] = {
    "tasks": _tasks,
    "models": _models,
    "methods": _methods,
    "approaches": _approaches,
}
