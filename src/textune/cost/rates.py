"""How fast a machine works, as stated defaults; studies correct them by what was measured.

What is not covered: other work on the machine, and several devices.
"""

from dataclasses import dataclass, replace

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
        return demand.predict_flops / self.flops + demand.predict_traffic / self.traffic


CORE = {
    "bfloat16": Rates(flops=2.5e11, traffic=5e9, unpacked=2.5e8),
    "float32": Rates(flops=5e10, traffic=5e9, unpacked=2.5e8),
}
"""One core. The first one is set so that the cells ``lora`` and ``zero-shot`` of
``docs/results/scicite.md`` come out (two cores, AVX512-BF16); the rate of unpacking is assumed."""
DEVICE = {
    "gpu-small": Rates(flops=4e13, traffic=2e11, unpacked=5e10, launch_seconds=1.5e-3),
    "gpu-large": Rates(flops=1.2e14, traffic=8e11, unpacked=2e11, launch_seconds=1.5e-3),
    "gpu-huge": Rates(flops=3.5e14, traffic=2e12, unpacked=5e11, launch_seconds=1e-3),
}
"""A device by its name in the price table: about four tenths of published peaks (assumed)."""


def stated_rates(machine: str, *, cores: int, precision: str) -> Rates:
    """The defaults for a machine by its name in the price table; processors by the core."""
    if machine in DEVICE:
        return DEVICE[machine]
    core = CORE[precision]
    scaled = {name: getattr(core, name) * cores for name in ("flops", "traffic", "unpacked")}
    return replace(core, **scaled)
