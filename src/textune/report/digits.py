"""Numbers as people read them: as many digits as matter, and the unit beside them."""

from collections.abc import Callable

from textune.report.blocks import Column, Link, Marked, Range, Scored, Value

MISSING = "-"
"""What stands where there is no value."""

WORDS = ("label", "text")
"""Units that are words; everything else is set to the right."""


def shown(value: Value, column: Column) -> str:
    """A value as text, in the unit of its column."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if isinstance(value, Link | Marked):
        return value.text
    if isinstance(value, Range):
        return f"{shown(value.low, column)} to {shown(value.high, column)}"
    if isinstance(value, Scored):
        if value.low is None or value.high is None:
            return shown(value.score, column)
        return f"{shown(value.score, column)} ({shown(Range(value.low, value.high), column)})"
    if column.unit in ("score", "points"):
        sign = "+" if column.unit == "points" else ""
        return f"{value * 100:{sign}.{column.decimals}f}"
    return _SHOWN.get(column.unit, significant)(value)


def seconds(value: float) -> str:
    """A duration: ``12 ms``, ``3.4 s``, ``12.0 min``, ``2.5 h``."""
    if value < 1:
        return f"{value * 1000:.2g} ms" if value < 0.1 else f"{value * 1000:.0f} ms"
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"


def in_bytes(value: float) -> str:
    """A size in binary units: ``1.5 MiB``."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def count(value: float) -> str:
    """A number of things: ``950``, ``7,320``, ``1.2 M``, ``7.0 B``."""
    if value < 1e6:
        return f"{value:,.0f}"
    return f"{value / 1e6:.1f} M" if value < 1e9 else f"{value / 1e9:.1f} B"


def joules(value: float) -> str:
    """An energy: ``35 J``, ``1.2 kJ``, ``0.5 kWh`` from a tenth of a kilowatt hour on."""
    if value < 1000:
        return f"{value:.2g} J" if value < 10 else f"{value:.0f} J"
    return f"{value / 1000:.1f} kJ" if value < 360_000 else f"{value / 3.6e6:.2f} kWh"


def probability(value: float) -> str:
    """A P value: three digits, and ``< 0.001`` below."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def price(value: float, currency: str) -> str:
    """An amount with its currency, at least two digits that are not zero: ``0.0012 EUR``."""
    amount = f"{value:.2f}" if value >= 1 or value == 0 else f"{value:.2g}"
    return f"{_plain(amount)} {currency}".strip()


def significant(value: float) -> str:
    """Three significant digits without an exponent where that is short."""
    return _plain(f"{value:.3g}") if value < 1000 else f"{value:,.0f}"


def _plain(text: str) -> str:
    """``5e-05`` as ``0.00005``; anything longer keeps its exponent."""
    if "e-" not in text:
        return text
    exponent = int(text.partition("e-")[2])
    return f"{float(text):.{exponent + 1}f}".rstrip("0") if exponent < 7 else text


def metric_title(name: str) -> str:
    """A metric's name for people: ``macro F1``, ``F1 of background``, ``positive F1``."""
    part, _, label = name.partition(":")
    words = " ".join(_ACRONYMS.get(word, word) for word in part.split("_"))
    return f"{words} of {label}" if label else words


_ACRONYMS = {
    "f1": "F1",
    "auc": "AUC",
    "mcc": "MCC",
    "ece": "ECE",
    "brier": "Brier score",
    "pearson": "Pearson's r",
    "spearman": "Spearman's rho",
}
_SHOWN: dict[str, Callable[[float], str]] = {
    "seconds": seconds,
    "bytes": in_bytes,
    "price": lambda value: price(value, ""),
    "joules": joules,
    "probability": probability,
    "count": count,
}
