"""How long a machine needs for a demand, by what it does in a second.

What is not covered: who measures that (``study.speed``), other work on the machine, and several
devices.
"""

from dataclasses import dataclass

from textune.core.registry import Spec
from textune.cost.demand import Demand


@dataclass(frozen=True, kw_only=True)
class Rates(Spec):
    """What a machine does in a second."""

    flops: float
    """Operations of matrix products."""
    traffic: float
    """Bytes that element-wise work moves."""
    unpacked: float
    """Weights unpacked from 4 bits."""
    launch_seconds: float = 0.0
    """Least time of one layer in one pass."""

    def fit_seconds(self, demand: Demand) -> float:
        """Seconds of training."""
        return (
            demand.fit_flops / self.flops
            + demand.fit_traffic / self.traffic
            + demand.unpacked / self.unpacked
            + demand.launches * self.launch_seconds
        )

    def predict_seconds(self, demand: Demand) -> float:
        """Seconds of predicting the test part."""
        return (
            demand.predict_flops / self.flops
            + demand.predict_traffic / self.traffic
            + demand.predict_unpacked / self.unpacked
        )


UNPACKED = 2.5e8
"""Weights that a core unpacks in a second, where that cannot be measured (assumed)."""
