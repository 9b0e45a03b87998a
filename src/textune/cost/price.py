"""Seconds on a machine, tokens of served models -> money, by a dated table.

Users replace the table with their own.
"""

import math
import os
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Literal

from textune.core.config import parse, read_yaml
from textune.core.errors import ConfigError, did_you_mean
from textune.core.registry import Spec
from textune.cost.served import ServedBy

OWN_TABLE = "TEXTUNE_PRICES"
"""Environment variable with the path of a user's own table."""


@dataclass(frozen=True, kw_only=True)
class MachinePrice(Spec):
    """What one sort of machine costs."""

    per: Literal["core", "machine"]
    """Whether the price is for each core in use or for the machine as a whole."""
    hour: float
    """Price of an hour, in the currency of the table."""
    about: str = ""
    """What machine is meant."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.hour) and self.hour >= 0):
            raise ValueError("a price of an hour is zero or more")


@dataclass(frozen=True, kw_only=True)
class TokenPrice(Spec):
    """What a served model costs."""

    input: float
    """Price of a million tokens that it reads, in the currency of the table."""
    output: float
    """Price of a million tokens that it writes."""
    about: str = ""
    """Whose price this is."""

    def __post_init__(self) -> None:
        if not all(math.isfinite(each) and each >= 0 for each in (self.input, self.output)):
            raise ValueError("a price of tokens is zero or more")


@dataclass(frozen=True, kw_only=True)
class PriceTable(Spec):
    """Prices of one day."""

    name: str
    """Whose prices these are."""
    date: str
    """Day of the prices, as in 2026-11-20."""
    currency: str
    """Code of the currency, as in USD."""
    machines: dict[str, MachinePrice]
    """Name of a machine -> its price."""
    served: dict[str, TokenPrice] = field(default_factory=dict)
    """Name of a model at its endpoint -> what its tokens cost."""

    @property
    def title(self) -> str:
        """Name and date."""
        return f"{self.name}, {self.date}"


@dataclass(frozen=True)
class Money:
    """An amount, and by which table."""

    amount: float
    currency: str
    table: str
    """Name and date of the price table."""


def load_prices(path: Path | None = None) -> PriceTable:
    """The table at ``path``, else at ``$TEXTUNE_PRICES``, else the one that comes with textune.

    Raises:
        ConfigError: the file is missing or wrong.
    """
    own = os.environ.get(OWN_TABLE)
    built_in = Path(str(files("textune.cost") / "prices.yaml"))
    path = path or (Path(own) if own else built_in)
    return parse(PriceTable, read_yaml(path), where=str(path))


def price(
    seconds: float, *, machine: str, cores: int = 1, table: PriceTable | None = None
) -> Money:
    """What so many seconds on a machine cost, by ``table`` or else by ``load_prices()``.

    ``cores`` counts only for a machine that is paid by the core.

    Raises:
        ConfigError: the table does not know the machine, or cannot be loaded.
    """
    table = table or load_prices()
    if machine not in table.machines:
        hint = did_you_mean(machine, table.machines)
        raise ConfigError(f"prices {table.title}: no machine {machine!r}", hint=hint)
    found = table.machines[machine]
    num_paid = cores if found.per == "core" else 1
    return Money(seconds / 3600 * found.hour * num_paid, table.currency, table.title)


def token_price(served: ServedBy, table: PriceTable) -> float | None:
    """What tokens of served models cost, in the currency of the table.

    None where the table does not know one of the models, or a number of tokens is not known.
    """
    amount = 0.0
    for model, tokens in served.items():
        known = table.served.get(model)
        if known is None or tokens.input is None or tokens.output is None:
            return None
        amount += (tokens.input * known.input + tokens.output * known.output) / 1e6
    return amount
