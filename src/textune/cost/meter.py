"""What a piece of work costs: ``with meter() as running: ...``, then ``running.usage``.

Meters may be nested, and what the inner one saw counts for the outer one too. What is not
covered: child processes, and meters that overlap in several threads of one process.
"""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

from textune.cost.energy import Energy, counting_energy
from textune.cost.memory import DevicePeak, Peak, PeakKind, peak_memory


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a piece of work used. None means not measured or not counted, never zero."""

    wall_seconds: float
    cpu_seconds: float
    """Of this process, all threads and the kernel's work for it together."""
    peak_bytes: int
    peak_kind: PeakKind
    tokens: int | None
    flops: float | None
    energy: Energy | None


@dataclass
class Meter:
    """A measurement in progress."""

    peak: Peak
    tokens: int | None = None
    flops: float | None = None
    highest_bytes: int = 0
    _usage: Usage | None = field(default=None, repr=False)

    @property
    def usage(self) -> Usage:
        """The result; there is one as soon as the block has ended, well or not."""
        assert self._usage is not None, "the metered block has not ended"
        return self._usage

    def note_peak(self) -> None:
        """Keep the peak so far, before somebody resets it."""
        self.highest_bytes = max(self.highest_bytes, self.peak.read())

    def add(self, tokens: int | None, flops: float | None) -> None:
        """Count work; None adds nothing."""
        if tokens is not None:
            self.tokens = (self.tokens or 0) + tokens
        if flops is not None:
            self.flops = (self.flops or 0.0) + flops


_INNERMOST: ContextVar[Meter | None] = ContextVar("innermost_meter", default=None)


@contextlib.contextmanager
def meter(*, device_peak: DevicePeak | None = None) -> Iterator[Meter]:
    """Measure a block; ``device_peak`` is given when an accelerator does the work."""
    outer = _INNERMOST.get()
    if outer is not None:
        outer.note_peak()
    has_device = device_peak is not None
    with peak_memory(device_peak) as peak, counting_energy(has_device=has_device) as energy:
        running = Meter(peak)
        token = _INNERMOST.set(running)
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield running
        finally:
            wall_seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
            _INNERMOST.reset(token)
            running.note_peak()
            running._usage = Usage(
                wall_seconds=wall_seconds,
                cpu_seconds=cpu_seconds,
                peak_bytes=running.highest_bytes,
                peak_kind=peak.kind,
                tokens=running.tokens,
                flops=running.flops,
                energy=energy.energy(cpu_seconds),
            )
            if outer is not None:
                outer.add(running.tokens, running.flops)


def count_work(*, tokens: int | None = None, flops: float | None = None) -> None:
    """Add work to the innermost active meter of this thread; outside of one, do nothing."""
    running = _INNERMOST.get()
    if running is not None:
        running.add(tokens, flops)
