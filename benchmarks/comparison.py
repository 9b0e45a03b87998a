"""What a comparison is to show, its rounds as JSON in ``results``, and its row of the table.

Figures of different machines are no rounds of one comparison: each kind of machine has a folder.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

from textune.models.device import bf16_products, has_cuda, said_of_processor
from textune.study.machine import hardware, versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Target:
    """What one figure should be, and what is in the way where it is not."""

    key: str
    what: str
    peer: str
    """Who is beside us; empty where a figure stands for itself."""
    unit: str
    bound: float
    """Of our figure by the peer's, or of ours where there is no peer."""
    sense: Literal["at least", "at most"] = "at least"
    on: Literal["", "nvidia"] = ""
    """What kinds of machines begin with that it is for; empty: all that have measured it."""
    open: Mapping[str, str] = field(default_factory=dict)
    """Kind of machine -> why the target is missed there, and what would close it."""

    def met(self, figure: float) -> bool:
        """Whether a figure is what it should be."""
        return figure >= self.bound if self.sense == "at least" else figure <= self.bound

    @property
    def text(self) -> str:
        """The bound, for a table."""
        return f"{self.sense} {self.bound:.3g}{'x' if self.peer else ''}"


@dataclass(frozen=True)
class Round:
    """Our figure, and the peer's of the same turn."""

    ours: float
    theirs: float | None = None

    @property
    def figure(self) -> float:
        """What the target speaks of."""
        return self.ours if self.theirs is None else self.ours / self.theirs


def machine() -> str:
    """The kind of this machine: its processor and how it multiplies bf16, or its accelerator.

    Processors of one name differ twofold by generation, so the family is part of it (x86).
    """
    words = hardware()
    if has_cuda():
        return _slug(words.rpartition(";")[2])
    model = words.partition(" of ")[2].partition(",")[0].replace("Processor", "")
    number = said_of_processor("cpu family")
    family = f"family {number}" if number else ""
    return _slug(f"{model} {family} {bf16_products() or 'fp32'}")


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(\w+\)", "", words.lower())).strip("-")


def keep(
    key: str, rounds: Sequence[Round], settings: Any, *, packages: Sequence[str] = ()
) -> None:
    """Write down what was measured, with all that decides it; ``settings`` is a dataclass."""
    content = {
        "key": key,
        "rounds": [asdict(each) for each in rounds],
        "settings": asdict(settings),
    }
    write(key, content, packages=packages)


def write(name: str, content: dict[str, Any], *, packages: Sequence[str] = ()) -> None:
    """Write JSON into this machine's folder, with machine, versions and time."""
    write_json(RESULTS / machine() / f"{name}.json", content | where(packages))


def where(packages: Sequence[str]) -> dict[str, Any]:
    """Machine, versions and time of what has just been measured."""
    return {
        "machine": hardware(),
        "kind": machine(),
        "versions": versions() | {each: version(each) for each in packages},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file of results."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


def row(target: Target, kind: str) -> tuple[str, ...]:
    """What was measured last for a target on a kind of machine.

    Medians over the rounds, and the range of ratios.
    """
    path = RESULTS / kind / f"{target.key}.json"
    if not path.is_file():
        return (target.what, target.peer, "", "", "not run", target.text, "")
    rounds = [Round(**each) for each in json.loads(path.read_text(encoding="utf-8"))["rounds"]]
    figures = sorted(each.figure for each in rounds)
    ours = f"{median(each.ours for each in rounds):.3g} {target.unit}"
    theirs = [each.theirs for each in rounds if each.theirs is not None]
    spread = f" ({figures[0]:.3g} to {figures[-1]:.3g})" if len(figures) > 1 else ""
    met = target.met(median(figures))
    return (
        target.what,
        target.peer,
        ours,
        f"{median(theirs):.3g} {target.unit}" if theirs else "",
        f"{median(figures):.3g}{'x' if theirs else ''}{spread}",
        target.text,
        "yes" if met else f"no: {target.open.get(kind, 'not looked at on this machine')}",
    )
