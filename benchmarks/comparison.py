"""What a comparison is to show, its rounds as JSON in ``results``, and its row of the table."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Literal

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
    open: str = ""
    """Why a target is missed, and what would close it."""

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
    """Write JSON into ``results``, with machine, versions and time."""
    where = {
        "machine": hardware(),
        "versions": versions() | {each: version(each) for each in packages},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(content | where, indent=1, sort_keys=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def row(target: Target) -> tuple[str, ...]:
    """What was measured last for a target: medians over the rounds, and the range of ratios."""
    path = RESULTS / f"{target.key}.json"
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
        "yes" if met else f"no: {target.open}",
    )
