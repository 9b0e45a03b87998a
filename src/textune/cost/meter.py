"""What a piece of work costs: ``with meter() as running: ...``, then ``running.usage``.

Meters may be nested, and what the inner one saw counts for the outer one too. What is not
covered: child processes, and meters that overlap in several threads of one process.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TypeVar

from textune.core.registry import Spec
from textune.cost.energy import Energy, EnergyMeter, counting_energy
from textune.cost.memory import DevicePeak, Peak, PeakKind, peak_memory
from textune.cost.served import ServedBy, ServedTokens, together

N = TypeVar("N", int, float)


@dataclass(frozen=True, kw_only=True)
class Usage(Spec):
    """What a piece of work used. None means not measured or not counted, never zero."""

    wall_seconds: float
    """With what answers that were on disk took when they were asked for."""
    cpu_seconds: float
    """Of this process, all threads and the kernel's work for it together."""
    peak_bytes: int
    peak_kind: PeakKind
    tokens: int | None
    flops: float | None
    energy: Energy | None
    served: dict[str, ServedTokens] = field(default_factory=dict)
    """Of models that run elsewhere, by name."""

    def plus(self, later: "Usage") -> "Usage":
        """What both used together, one after the other; the later one says the kinds."""
        return Usage(
            wall_seconds=self.wall_seconds + later.wall_seconds,
            cpu_seconds=self.cpu_seconds + later.cpu_seconds,
            peak_bytes=max(self.peak_bytes, later.peak_bytes),
            peak_kind=later.peak_kind,
            tokens=_sum(self.tokens, later.tokens),
            flops=_sum(self.flops, later.flops),
            energy=replace(later.energy, joules=self.energy.joules + later.energy.joules)
            if self.energy and later.energy
            else None,
            served=together(self.served, later.served),
        )

    def shared(self, number: int) -> "Usage":
        """What falls to each of so many that used it together; the peak is that of all."""
        return replace(
            self,
            wall_seconds=self.wall_seconds / number,
            cpu_seconds=self.cpu_seconds / number,
            tokens=None if self.tokens is None else round(self.tokens / number),
            flops=None if self.flops is None else self.flops / number,
            energy=replace(self.energy, joules=self.energy.joules / number)
            if self.energy
            else None,
        )


def _sum(one: N | None, other: N | None) -> N | None:
    """The sum of what was counted; None where nothing was."""
    if one is None or other is None:
        return one if other is None else other
    return one + other


@dataclass
class Meter:
    """A measurement in progress."""

    peak: Peak
    counters: EnergyMeter
    started: tuple[float, float]
    """Wall and processor clocks at the start, in seconds."""
    told: Callable[[int], None] | None = None
    """Told all tokens so far whenever there are more."""
    tokens: int | None = None
    flops: float | None = None
    served: dict[str, ServedTokens] = field(default_factory=dict)
    spared_seconds: float = 0.0
    """What answers that were on disk took when they were asked for."""
    highest_bytes: int = 0
    _usage: Usage | None = field(default=None, repr=False)

    @property
    def usage(self) -> Usage:
        """The result; there is one as soon as the block has ended, well or not."""
        assert self._usage is not None, "the metered block has not ended"
        return self._usage

    def seconds(self) -> float:
        """Wall time from the start until now, with what was spared."""
        return time.perf_counter() - self.started[0] + self.spared_seconds

    def so_far(self) -> Usage:
        """What was used from the start until now."""
        wall, cpu = self.seconds(), time.process_time()
        self.note_peak()
        return Usage(
            wall_seconds=wall,
            cpu_seconds=cpu - self.started[1],
            peak_bytes=self.highest_bytes,
            peak_kind=self.peak.kind,
            tokens=self.tokens,
            flops=self.flops,
            energy=self.counters.energy(cpu - self.started[1]),
            served=dict(self.served),
        )

    def note_peak(self) -> None:
        """Keep the peak so far, before somebody resets it."""
        self.highest_bytes = max(self.highest_bytes, self.peak.read())

    def add(self, tokens: int | None, flops: float | None) -> None:
        """Count work; None adds nothing."""
        if tokens is not None:
            self.tokens = (self.tokens or 0) + tokens
            if self.told is not None:
                self.told(self.tokens)
        if flops is not None:
            self.flops = (self.flops or 0.0) + flops

    def add_served(self, served: ServedBy, spared_seconds: float) -> None:
        """Count what models elsewhere did."""
        self.served = together(self.served, served)
        self.spared_seconds += spared_seconds


_INNERMOST: ContextVar[Meter | None] = ContextVar("innermost_meter", default=None)


@contextlib.contextmanager
def meter(
    *, device_peak: DevicePeak | None = None, told: Callable[[int], None] | None = None
) -> Iterator[Meter]:
    """Measure a block; ``device_peak`` is given when an accelerator does the work.

    ``told`` hears all tokens so far whenever there are more.
    """
    outer = _INNERMOST.get()
    if outer is not None:
        outer.note_peak()
    has_device = device_peak is not None
    with peak_memory(device_peak) as peak, counting_energy(has_device=has_device) as counters:
        running = Meter(peak, counters, (time.perf_counter(), time.process_time()), told)
        token = _INNERMOST.set(running)
        try:
            yield running
        finally:
            running._usage = running.so_far()
            _INNERMOST.reset(token)
            if outer is not None:
                outer.add(running.tokens, running.flops)
                outer.add_served(running.served, running.spared_seconds)


def count_work(*, tokens: int | None = None, flops: float | None = None) -> None:
    """Add work to the innermost active meter of this thread; outside of one, do nothing."""
    running = _INNERMOST.get()
    if running is not None:
        running.add(tokens, flops)


def count_served(model: str, tokens: ServedTokens, *, spared_seconds: float = 0.0) -> None:
    """As ``count_work``, for tokens of a model that runs elsewhere.

    ``spared_seconds`` is what answers that were on disk took when they were asked for: with it a
    piece of work takes the same time whether anything of it was known before or not.
    """
    count_work(tokens=tokens.total)
    running = _INNERMOST.get()
    if running is not None:
        running.add_served({model: tokens}, spared_seconds)
