"""The costs that quality is weighed against."""

from collections.abc import Callable
from dataclasses import dataclass

from textune.report import digits
from textune.report.contenders import Contender


@dataclass(frozen=True)
class Axis:
    """One cost of a contender: less is better, None is unknown."""

    name: str
    title: str
    """With the unit in which ``plotted`` values are."""
    value: Callable[[Contender], float | None]
    shown: Callable[[float], str]
    """A value in words."""
    scale: float = 1.0
    """A plotted value is ``value`` divided by this."""


def axes(currency: str) -> tuple[Axis, Axis, Axis]:
    """Price, prediction time and memory, in the order in which ties are broken."""
    return (
        Axis(
            "price",
            f"price of a fit and its test predictions ({currency or 'price table'})",
            lambda contender: contender.cost.price,
            lambda value: digits.price(value, currency),
        ),
        Axis(
            "prediction_time",
            "seconds to predict 1,000 examples",
            lambda contender: contender.predict_seconds_per_thousand,
            lambda value: f"{digits.seconds(value)} per 1,000 predictions",
        ),
        Axis(
            "memory",
            "peak memory (MiB)",
            lambda contender: contender.cost.peak_bytes,
            lambda value: f"{digits.in_bytes(value)} of memory",
            scale=2.0**20,
        ),
    )


def currency_of(contenders: tuple[Contender, ...]) -> str:
    """The currency that the costs were priced in, empty when nothing was."""
    found = [c.cost.price_currency for c in contenders if c.cost.price is not None]
    return found[0] if found else ""
