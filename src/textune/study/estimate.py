"""How long the cells of an approach will take: from cells done before, else from rough rates.

What is not covered: memory, and models whose cells were never run here (the rough rates were seen
with a 135M model on two cores and are off by the ratio of sizes elsewhere).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from textune.cost.price import load_prices, price
from textune.models.device import price_name
from textune.results.record import Record
from textune.study.machine import cores
from textune.study.plan import Cell, Plan

ROUGH_FIT = {"baseline": 0.0, "small model": 0.01, "prompted": 0.0, "tuned": 0.25}
"""Seconds for one training example (all epochs), by family."""
ROUGH_PREDICT = {"baseline": 0.0, "small model": 0.01, "prompted": 0.05, "tuned": 0.05}
"""Seconds for one tested example, by family."""


@dataclass(frozen=True)
class Estimate:
    """What is left to do of an approach."""

    seconds: float
    price: float
    currency: str
    basis: str
    """``3 cells done here`` or ``rough rates``."""


def estimate(plan: Plan, label: str, known: Sequence[Record]) -> Estimate:
    """The expected cost of an approach's cells that have no record."""
    ended = {r.fingerprint for r in known}
    cells = [c for c in plan.cells if c.key.approach == label]
    own = {c.fingerprint for c in cells}
    left = [c for c in cells if c.fingerprint not in ended]
    measured = [r for r in known if r.fingerprint in own and r.cost is not None]
    family = plan.study.approaches[label].family
    if measured:
        fit = mean(r.cost.fit_seconds / max(1, r.num_train) for r in measured if r.cost)
        predict = mean(r.cost.predict_seconds / max(1, r.num_test) for r in measured if r.cost)
        basis = f"{len(measured)} cells done here"
    else:
        fit, predict, basis = ROUGH_FIT[family], ROUGH_PREDICT[family], "rough rates"
    seconds = sum(_seconds(cell, fit, predict) for cell in left)
    table = load_prices()
    money = price(seconds, machine=price_name(), cores=cores(), table=table)
    return Estimate(seconds, money.amount, money.currency, basis)


def _seconds(cell: Cell, fit: float, predict: float) -> float:
    return fit * len(cell.train) + predict * len(cell.test)
