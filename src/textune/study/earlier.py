"""What cells of earlier runs on this machine say about its speed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from textune.approaches.base import Approach
from textune.core.errors import StoreError
from textune.cost.demand import Demand
from textune.results.record import Cost
from textune.results.run import load_run
from textune.results.store import Store
from textune.study.machine import hardware


@dataclass(frozen=True)
class Earlier:
    """A cell that was done on this machine, with its operations counted."""

    approach: str
    """Its name in the registry."""
    writes: bool
    """Whether answers of its task are written by language models."""
    model: str | None
    method: str | None
    cost: Cost


@dataclass(frozen=True)
class Speed:
    """Operations a second that cells reached, everything that is not counted included."""

    num_cells: int
    fit: float | None
    """None where nothing was trained."""
    predict: float

    def seconds(self, demand: Demand) -> float:
        """Of a cell, fitting and predicting."""
        fit = demand.fit_flops / self.fit if self.fit else 0.0
        return fit + demand.predict_flops / self.predict


def earlier_cells(runs: Path) -> list[Earlier]:
    """Done cells of all runs in a folder that name this machine; what is damaged is left out.

    A run may be a part of a study, one folder deeper.
    """
    found: list[Earlier] = []
    for path in sorted([*runs.glob("*/study.yaml"), *runs.glob("*/*/study.yaml")]):
        try:
            run = load_run(path.parent)
            if run.hardware != hardware():
                continue
            records = Store(path.parent).records(run.fingerprints)
        except StoreError:
            continue
        for record in records:
            info = run.approaches.get(record.cell.approach)
            if info is not None and record.cost is not None and record.cost.predict_flops:
                name, writes = next(iter(info.spec)), run.task.kind.is_written
                found.append(Earlier(name, writes, info.model, info.method, record.cost))
    return found


def speed_of(
    earlier: Sequence[Earlier], approach: Approach, *, writes: bool = False
) -> Speed | None:
    """The speed of the same approach on the same model, of its method where there are any.

    ``writes`` says whether language models write the answers: they do so slower than they score.
    """
    method = approach.tuning.name if approach.tuning else None
    wanted = approach.name, writes, approach.base
    alike = [e for e in earlier if (e.approach, e.writes, e.model) == wanted]
    alike = [e for e in alike if e.method == method] or alike
    if not alike:
        return None
    fits = [e.cost.fit_flops / e.cost.fit_seconds for e in alike if e.cost.fit_flops]
    predicts = [
        e.cost.predict_flops / e.cost.predict_seconds for e in alike if e.cost.predict_flops
    ]
    return Speed(len(alike), median(fits) if fits else None, median(predicts))
