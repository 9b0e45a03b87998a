"""A first study file for a task: the recommended protocol, and approaches that its kind allows."""

import dataclasses
import json
import re
from collections.abc import Sequence
from math import ceil
from typing import Any

from textune.approaches.base import REGISTRY, Approach
from textune.core.config import Json, PluginOf, dump_yaml, plain
from textune.core.errors import ImpossibleError
from textune.core.registry import Plugin
from textune.data.audit import Audit
from textune.results.run import MAY_HAVE_SEEN
from textune.study.plan import info_of
from textune.study.protocol import Recommended
from textune.tasks.base import TaskSpec

MAX_SHOWN_WORDS = 800
"""Demonstrations with more words in all may not fit small models."""

METHODS = {
    "lora": "the language model adapted, by a low-rank change of its weights",
    "qlora": "the same with the base held in 4 bits: less memory",
}
WORDS_OF_YAML = ("true", "false", "null")
"""Words that mean something else without quotes."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """An entry of ``approaches`` and what it is there for."""

    entry: Json
    reason: str

    @property
    def label(self) -> str:
        """What tables call it."""
        entry = self.entry
        named = entry.get("label") if isinstance(entry, dict) else None
        return str(named or self.approach.label())

    @property
    def approach(self) -> Approach:
        """What it describes, with nothing resolved: that would load what computes."""
        entry = self.entry
        if isinstance(entry, dict):
            entry = {name: options for name, options in entry.items() if name != "label"}
        approach: Approach = PluginOf(REGISTRY).build(entry, where="approaches")
        return approach


def candidates(
    task: TaskSpec, audit: Audit, *, causal: Sequence[str] = (), encoders: Sequence[str] = ()
) -> list[Candidate]:
    """Approaches from the cheapest to the dearest that can do the task.

    Args:
        task: the task.
        audit: of its data: few-shot prompts must fit.
        causal: language models to prompt and tune; none is the default one.
        encoders: the same for encoders.
    """
    found = [
        Candidate("majority", "always the most frequent label: the floor of every table"),
        Candidate("tfidf", "words and parts of words, no language model"),
    ]
    for options in _models(encoders):
        found += [
            Candidate(_entry("nearest", options), "a frozen sentence encoder"),
            Candidate(_entry("encoder", options), "a small encoder, trained whole"),
        ]
    shots = _shots(task, audit)
    for options in _models(causal):
        found.append(Candidate(_entry("prompted", options), "a language model as it is"))
        if shots:
            what = f"the same with {shots} labelled examples in the prompt"
            found.append(Candidate(_entry("prompted", {**options, "shots": shots}), what))
        for method, what in METHODS.items():
            found.append(Candidate(_entry("tuned", {"method": method, **options}), what))
    several = len(causal) > 1 or len(encoders) > 1
    possible = [_doubted(each, task) for each in found if _is_possible(each, task)]
    return [_named(each) for each in possible] if several else possible


def study_text(
    task: TaskSpec, reference: str | None, recommended: Recommended, approaches: list[Candidate]
) -> str:
    """The study file; without a reference the task is written out in it."""
    head: dict[str, Any] = {"name": task.name, "task": reference or said(task)}
    lines = [
        f"# A first study of {task.name}, made from its data: change whatever you know better.",
        *dump_yaml(head).splitlines(),
        "protocol:",
    ]
    for setting in recommended.settings:
        lines += [f"  # {setting.reason}", f"  {setting.key}: {flow(setting.value)}"]
    lines.append("approaches:")
    for each in approaches:
        lines += [f"  # {each.reason}", f"  - {flow(each.entry)}"]
    return "".join(f"{line}\n" for line in lines)


def said(value: object) -> Json:
    """Plain content of a description, without what is as by default."""
    if isinstance(value, Plugin):
        options = _changed(value)
        return {value.name: options} if options else value.name
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _changed(value)
    return plain(value)


def _changed(value: Any) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for field in dataclasses.fields(value):
        now = getattr(value, field.name)
        default = (
            field.default
            if field.default_factory is dataclasses.MISSING
            else field.default_factory()
        )
        if now != default:
            found[field.name] = said(now)
    return found


def flow(value: Json) -> str:
    """YAML on one line, words without quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    is_word = isinstance(value, str) and re.fullmatch(r"[a-z_][a-z0-9_.-]*", value)
    return str(value) if is_word and value not in WORDS_OF_YAML else json.dumps(value)


def _models(names: Sequence[str]) -> list[dict[str, Json]]:
    return [{"model": name} for name in names] or [{}]


def _entry(name: str, options: dict[str, Json]) -> Json:
    return {name: options} if options else name


def _doubted(candidate: Candidate, task: TaskSpec) -> Candidate:
    """With what is known about its model and the task's data."""
    doubt = info_of(candidate.approach, task).doubt
    if doubt is None:
        return candidate
    return Candidate(candidate.entry, f"{candidate.reason}; {MAY_HAVE_SEEN}: {doubt}")


def _named(candidate: Candidate) -> Candidate:
    """With a label that tells models apart."""
    if not isinstance(candidate.entry, dict):
        return candidate
    approach = candidate.approach
    entry = {**candidate.entry, "label": f"{approach.label()}, {approach.base}"}
    return Candidate(entry, candidate.reason)


def _shots(task: TaskSpec, audit: Audit) -> int:
    """As many of each label, four at least in all; 0 where they are too long or too few."""
    train = audit.parts[0]
    num_labels = max(1, len(task.kind.demonstrated(list(task.labels))))
    each = ceil(4 / num_labels)
    is_long = num_labels * each * train.words.p95 > MAX_SHOWN_WORDS
    is_rare = not task.kind.is_written and min(train.labels.values()) < 2 * each
    return 0 if is_long or is_rare else num_labels * each


def _is_possible(candidate: Candidate, task: TaskSpec) -> bool:
    try:
        candidate.approach.check(task)
    except ImpossibleError:
        return False
    return True
