"""Energy of a piece of work, and how it was obtained.

Counted where the machine counts it: processor packages and their memory through RAPL (Linux
powercap), accelerators through NVML. Without counters the processor's energy is estimated from
its time. An accelerator is never estimated: then there is no figure rather than a wrong one.

What is not covered: disks, network, fans, losses of the power supply, and several accelerators.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from textune.core.registry import Spec
from textune.cost.background import repeating

POWERCAP = Path("/sys/class/powercap")
COUNTER_SECONDS = 60.0
"""How often RAPL is read; its counters start again from zero, after many minutes at full load."""

WATTS_PER_CORE = 6.0
"""Assumed power of one busy core with its share of the rest of the processor (2026-11).

Thermal design power by number of cores is 3.8 W for AMD EPYC 9654 (360 W, 96 cores), 6.8 W for
Intel Xeon Platinum 8380 (270 W, 40 cores) and 8.1 W for AMD Ryzen 7 7700 (65 W, 8 cores).
"""


@dataclass(frozen=True, kw_only=True)
class Energy(Spec):
    """Joules of fitting and predicting, and how they were obtained."""

    joules: float
    provenance: Literal["counter", "integrated power", "estimate"]
    note: str = ""
    """What was counted; for an estimate, the assumed power."""


@dataclass
class Zone:
    """One RAPL counter and the joules that it went up by since it was opened."""

    folder: Path
    range_microjoules: int
    last_microjoules: int
    joules: float = 0.0

    def advance(self) -> None:
        """Add what was used since the last call; must be called at least once a lap."""
        now = _number(self.folder / "energy_uj")
        self.joules += (now - self.last_microjoules) % (self.range_microjoules + 1) / 1e6
        self.last_microjoules = now


@dataclass
class EnergyMeter:
    """Counters that run during a piece of work."""

    has_device: bool
    zones: list[Zone] = field(default_factory=list)
    device_joules: Callable[[], float] | None = None
    """Joules of the accelerator since the start, where it counts them."""
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def advance(self) -> None:
        """Bring the counters of the processor up to date."""
        with self._turn:
            for zone in self.zones:
                zone.advance()

    def energy(self, cpu_seconds: float) -> Energy | None:
        """What was used; None where an accelerator was at work that does not count."""
        if self.has_device and self.device_joules is None:
            return None
        self.advance()
        joules = sum(zone.joules for zone in self.zones)
        if self.device_joules is not None:
            joules += self.device_joules()
            note = "accelerator and processor" if self.zones else "accelerator, no processor"
            return Energy(joules=joules, provenance="counter", note=note)
        if self.zones:
            note = "processor, with all else that ran on it"
            return Energy(joules=joules, provenance="counter", note=note)
        return Energy(
            joules=cpu_seconds * WATTS_PER_CORE,
            provenance="estimate",
            note=f"processor seconds x {WATTS_PER_CORE:g} W, an assumed power of a busy core",
        )


@contextlib.contextmanager
def counting_energy(*, has_device: bool) -> Iterator[EnergyMeter]:
    """Start every counter that can be read; ``has_device`` when an accelerator is at work."""
    meter = EnergyMeter(has_device, _open_zones(), _open_device() if has_device else None)
    if not meter.zones:
        yield meter
        return
    with repeating(meter.advance, seconds=COUNTER_SECONDS):
        yield meter


def _open_zones() -> list[Zone]:
    """Packages and memory, which lies outside of them; cores are part of a package.

    The same counters may be listed a second time as ``intel-rapl-mmio``, which is left out.
    """
    zones = []
    for folder in sorted(POWERCAP.glob("intel-rapl:*")):
        try:
            name = (folder / "name").read_text().strip()
            if name.startswith("package") or name == "dram":
                largest = _number(folder / "max_energy_range_uj")
                zones.append(Zone(folder, largest, _number(folder / "energy_uj")))
        except (OSError, ValueError):  # readable by root only, on most machines
            return []
    return zones


def _number(path: Path) -> int:
    return int(path.read_text())


def _open_device() -> Callable[[], float] | None:
    """A function giving joules since now, or None where NVML or its counter is missing."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = _first_visible(pynvml)
        start = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) - start) / 1000


def _first_visible(pynvml: Any) -> Any:
    """The device that CUDA calls 0, taken that both number devices by bus."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0].strip()
    if first and not first.isdigit():
        return pynvml.nvmlDeviceGetHandleByUUID(first)
    return pynvml.nvmlDeviceGetHandleByIndex(int(first or 0))
