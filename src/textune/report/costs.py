"""The cost of a contender: the mean over its cells."""

from collections.abc import Iterable, Sequence

import numpy as np

from textune.cost.energy import Energy
from textune.results.record import Cost


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """The mean of every quantity over the costs that have it; the peak is the highest one."""
    first = costs[0]
    return Cost(
        fit_seconds=float(np.mean([c.fit_seconds for c in costs])),
        predict_seconds=float(np.mean([c.predict_seconds for c in costs])),
        cpu_seconds=float(np.mean([c.cpu_seconds for c in costs])),
        peak_bytes=max((c.peak_bytes for c in costs if c.peak_bytes is not None), default=None),
        peak_kind=first.peak_kind,
        total_params=_whole(c.total_params for c in costs),
        trainable_params=_whole(c.trainable_params for c in costs),
        fit_tokens=_whole(c.fit_tokens for c in costs),
        predict_tokens=_whole(c.predict_tokens for c in costs),
        fit_flops=_mean(c.fit_flops for c in costs),
        predict_flops=_mean(c.predict_flops for c in costs),
        latency_p50_seconds=_mean(c.latency_p50_seconds for c in costs),
        latency_p95_seconds=_mean(c.latency_p95_seconds for c in costs),
        adapter_bytes=_whole(c.adapter_bytes for c in costs),
        energy=_mean_energy([c.energy for c in costs if c.energy is not None]),
        fees=_mean(c.fees for c in costs),
        fit_price=_mean(c.fit_price for c in costs),
        price=_mean(c.price for c in costs),
        price_currency=first.price_currency,
        price_table=first.price_table,
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _whole(values: Iterable[int | None]) -> int | None:
    mean = _mean(values)
    return None if mean is None else round(mean)


def _mean_energy(energies: Sequence[Energy]) -> Energy | None:
    """Joules averaged; of several provenances the least certain one names them all."""
    if not energies:
        return None
    order = ("estimate", "integrated power", "counter")
    weakest = min(energies, key=lambda energy: order.index(energy.provenance))
    joules = float(np.mean([energy.joules for energy in energies]))
    return Energy(joules=joules, provenance=weakest.provenance, note=weakest.note)
