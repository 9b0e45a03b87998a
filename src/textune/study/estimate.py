"""What the cells of an approach will take: memory, seconds, money.

Of three sources the best that there is: cells of the approach that were done here; the speed that
cells of any run on this machine reached on the same model; rates measured on the machine itself.
Memory comes from shapes, corrected by the peaks of this study's cells. What has no forecast has
rough rates an example.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from statistics import mean, median

from textune.approaches.base import Parts
from textune.core.errors import TextuneError
from textune.cost.demand import Demand
from textune.cost.price import load_prices, price, token_price
from textune.cost.rates import Rates
from textune.cost.served import ServedTokens, together
from textune.models.architecture import Drafts
from textune.models.device import (
    Precision,
    device_name,
    memory_bytes,
    price_name,
    usable_bytes,
)
from textune.results.record import Cost, Record
from textune.study.earlier import Earlier, speed_of
from textune.study.machine import cores
from textune.study.plan import Cell, Plan
from textune.study.speed import measured_rates

ROUGH_FIT = {"baseline": 0.0, "small model": 0.01, "prompted": 0.0, "tuned": 0.25}
"""Seconds for one training example (all epochs), by family."""
ROUGH_PREDICT = {"baseline": 0.0, "small model": 0.01, "prompted": 0.05, "tuned": 0.05}
"""Seconds for one tested example, by family."""


@dataclass(frozen=True)
class CellEstimate:
    """What one cell takes, done or not."""

    fingerprint: str
    seconds: float
    price: float | None
    """None where the price table does not know a served model."""
    peak_bytes: int | None
    """As a meter will see it; None where nobody can say."""
    fits: bool | None
    """Whether this machine has the memory."""
    sparing: bool
    """Whether memory is short, so that training steps are made with little of it."""
    served: dict[str, ServedTokens]
    """Tokens of models that run elsewhere, guessed from letters."""


@dataclass(frozen=True)
class Estimate:
    """What an approach takes."""

    seconds: float
    """Of its cells that are left to do."""
    price: float | None
    """Of its cells that are left to do; None where the price table does not know one of them."""
    currency: str
    basis: str
    """``3 cells done here``, ``2 earlier cells``, ``measured rates`` or ``rough rates``."""
    trained_share: float | None
    """Trained parameters by all."""
    needed_bytes: int | None
    """Memory that must be there for its largest cell."""
    cells: tuple[CellEstimate, ...]
    served: dict[str, ServedTokens]
    """Tokens of models that run elsewhere, of its cells that are left to do."""


def estimate(plan: Plan, label: str, known: Sequence[Record]) -> Estimate:
    """The expected cost of one approach of a plan, from its records alone."""
    return Estimator(plan, known).approach(label)


class Estimator:
    """Estimates of all approaches of a plan; each forecast is made once."""

    def __init__(
        self,
        plan: Plan,
        known: Sequence[Record],
        earlier: Sequence[Earlier] = (),
        drafts: Drafts | None = None,
        rates: Callable[[Precision], Rates] = measured_rates,
    ) -> None:
        """``known`` are records of the plan's cells, ``earlier`` what other runs say.

        ``drafts`` may be shared with other plans that stand on the same models. ``rates`` are
        asked only for what no cell says.
        """
        self.plan = plan
        self.known = {r.fingerprint: r for r in known}
        self.earlier = earlier
        self.device = device_name()
        self.prices = load_prices()
        self._drafts = drafts or Drafts()
        self._rates = rates
        self._demands: dict[tuple[str, int], Demand | None] = {}
        self._served: dict[tuple[str, int], dict[str, ServedTokens]] = {}

    def approach(self, label: str) -> Estimate:
        """Its cells, and what is left of them."""
        cells = [c for c in self.plan.cells if c.key.approach == label]
        measured = self._measured(cells)
        rate, basis = self._rate(label, measured)
        found = tuple(self._cell(c, rate(c), measured) for c in cells)
        left = {e.fingerprint: e for e in found if e.fingerprint not in self.known}.values()
        demands = [d for c in cells if (d := self.demand(c)) is not None]
        largest = max(demands, key=lambda d: d.needed_bytes(self.device), default=None)
        prices = [e.price for e in left if e.price is not None]
        return Estimate(
            seconds=sum(e.seconds for e in left),
            price=sum(prices) if len(prices) == len(left) else None,
            currency=self.prices.currency,
            basis=basis,
            trained_share=largest.trainable_params / largest.total_params if largest else None,
            needed_bytes=largest.needed_bytes(self.device) if largest else None,
            cells=found,
            served=reduce(together, (e.served for e in left), {}),
        )

    def demand(self, cell: Cell) -> Demand | None:
        """What a cell needs, by the first of its size; None where nobody can say."""
        key = cell.key.approach, cell.key.size
        if key not in self._demands:
            try:
                task = self.plan.study.task
                found = cell.approach.forecast(task, self._rows(cell), self._drafts)
                if found is not None:
                    found = found.within(usable_bytes(), self.device)
            except (TextuneError, RuntimeError, ValueError, NotImplementedError):
                found = None  # some layers cannot be run without numbers
            self._demands[key] = found
        return self._demands[key]

    def served(self, cell: Cell) -> dict[str, ServedTokens]:
        """What a cell asks of models elsewhere, by the first of its size."""
        key = cell.key.approach, cell.key.size
        if key not in self._served:
            self._served[key] = {}
            with contextlib.suppress(TextuneError):  # the cell will say it
                task = self.plan.study.task
                self._served[key] = cell.approach.served_tokens(task, self._rows(cell))
        return self._served[key]

    def _rows(self, cell: Cell) -> Parts:
        return Parts(
            *(self.plan.examples.take(p).rows for p in (cell.train, cell.valid, cell.test))
        )

    @cached_property
    def _memory_ratio(self) -> float:
        """Measured peaks of this study's cells by predicted ones; 1 without any."""
        ratios = []
        for cell in self.plan.cells:
            cost = self._cost(cell)
            if cost is None or not cost.peak_bytes:
                continue
            if (demand := self.demand(cell)) is not None:
                ratios.append(cost.peak_bytes / demand.peak_bytes(self.device))
        return median(ratios) if ratios else 1.0

    def _cost(self, cell: Cell) -> Cost | None:
        record = self.known.get(cell.fingerprint)
        return record.cost if record else None

    def _measured(self, cells: Sequence[Cell]) -> list[tuple[Cell, Cost]]:
        """Cells with their cost; those that share a record are one."""
        unique = {c.fingerprint: c for c in cells}.values()
        return [(c, cost) for c in unique if (cost := self._cost(c)) is not None]

    def _rate(
        self, label: str, measured: list[tuple[Cell, Cost]]
    ) -> tuple[Callable[[Cell], float], str]:
        """How long a cell of the approach takes, and how that is known."""
        if label in self.plan.impossible:
            return _by_example(0.0, 0.0), "impossible"
        approach = self.plan.study.approaches[label]
        if measured:
            fit = mean(cost.fit_seconds / max(1, len(c.train)) for c, cost in measured)
            predict = mean(cost.predict_seconds / max(1, len(c.test)) for c, cost in measured)
            return _by_example(fit, predict), f"{len(measured)} cells done here"
        if not any(self.demand(c) for c in self.plan.cells if c.key.approach == label):
            family = approach.belongs_to
            return _by_example(ROUGH_FIT[family], ROUGH_PREDICT[family]), "rough rates"
        if speed := speed_of(self.earlier, approach, writes=self.plan.study.task.kind.is_written):
            return (
                lambda cell: speed.seconds(self._known_demand(cell)),
                f"{speed.num_cells} earlier cells",
            )

        def by_rates(cell: Cell) -> float:
            demand = self._known_demand(cell)
            rates = self._rates(demand.precision)
            return rates.fit_seconds(demand) + rates.predict_seconds(demand)

        return by_rates, "measured rates"

    def _known_demand(self, cell: Cell) -> Demand:
        demand = self.demand(cell)
        assert demand is not None, "an approach forecasts all its cells or none"
        return demand

    def _cell(self, cell: Cell, seconds: float, measured: list[tuple[Cell, Cost]]) -> CellEstimate:
        demand = self.demand(cell)
        peaks = [
            cost.peak_bytes
            for c, cost in measured
            if cost.peak_bytes is not None and c.key.size == cell.key.size
        ]
        predicted = needed = None
        if demand is not None:
            predicted = int(demand.peak_bytes(self.device) * self._memory_ratio)
            needed = demand.needed_bytes(self.device)
        money = price(seconds, machine=price_name(), cores=cores(), table=self.prices)
        served = self.served(cell)
        fees = token_price(served, self.prices)
        return CellEstimate(
            fingerprint=cell.fingerprint,
            seconds=seconds,
            price=None if fees is None else money.amount + fees,
            peak_bytes=max(peaks, default=predicted),
            fits=None if needed is None else needed <= memory_bytes(),
            sparing=demand is not None and demand.sparing,
            served=served,
        )


def _by_example(fit: float, predict: float) -> Callable[[Cell], float]:
    return lambda cell: fit * len(cell.train) + predict * len(cell.test)
