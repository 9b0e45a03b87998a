"""Peak memory of a piece of work: of an accelerator, or resident memory of this process.

What is not covered: memory of child processes, and pages that were swapped out.
"""

import contextlib
import ctypes
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from textune.cost.background import repeating

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")
SAMPLE_SECONDS = 0.02
"""How often memory is looked at where the kernel keeps no peak that can be reset."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of ``mallopt(3)``."""
LARGEST_KEPT = 2**30
"""Bytes of an array from which on it is the system's alone."""
SMALLEST_MAPPED = 2**18
"""The same where memory is short."""

PeakKind = Literal["device", "resident", "unknown"]


class DevicePeak(Protocol):
    """Peak memory of an accelerator, given by the caller so that nothing here imports torch."""

    def reset(self) -> None:
        """Forget the peak so far."""

    def read(self) -> int:
        """Bytes at the highest point since the reset."""


@dataclass(frozen=True)
class Peak:
    """The highest point of memory since the peak was made."""

    kind: PeakKind
    """``unknown`` for resident memory that is sampled: a rise between two looks goes unseen."""
    read: Callable[[], int]
    """Gives bytes."""


def release_memory() -> None:
    """Give memory that nothing uses back to the system, so that it counts for nobody's peak."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, others need it less
    if trim is not None:
        trim(0)


def keep_memory() -> None:
    """Let glibc keep what is freed for the next array, until ``release_memory``.

    By itself it takes large arrays from the system and gives them back one by one, and each of
    their pages costs a fault again: a quarter of the time of scoring behind a long prefix.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is not None:
        option(M_MMAP_THRESHOLD, LARGEST_KEPT)
        option(M_TRIM_THRESHOLD, -1)


@contextlib.contextmanager
def sparing_memory() -> Iterator[None]:
    """A block in which large arrays are taken from the system one by one, and given back.

    Then no holes are between them: where layers run again, what is kept of each lies between what
    comes and goes, and the heap grew to seven times of what a step needed. It costs a fifth of the
    time. Afterwards memory is kept again.
    """
    option = getattr(ctypes.CDLL(None), "mallopt", None)
    if option is None:
        yield
        return
    option(M_MMAP_THRESHOLD, SMALLEST_MAPPED)
    option(M_TRIM_THRESHOLD, SMALLEST_MAPPED)
    release_memory()
    try:
        yield
    finally:
        keep_memory()


@contextlib.contextmanager
def peak_memory(device: DevicePeak | None) -> Iterator[Peak]:
    """A peak that starts now: the device's if one is given, else resident memory."""
    if device is not None:
        device.reset()
        yield Peak("device", device.read)
    elif _reset_kernel_peak():
        yield Peak("resident", _kernel_peak)
    else:
        samples = _Samples()
        with repeating(samples.look, seconds=SAMPLE_SECONDS):
            yield Peak("unknown", samples.look)


def _reset_kernel_peak() -> bool:
    """Set the kernel's mark to what is resident now; false where it keeps none (``proc(5)``)."""
    try:
        CLEAR_REFS.write_text("5")
        return _kernel_peak() > 0
    except OSError:
        return False


def _kernel_peak() -> int:
    """Bytes at the kernel's high-water mark of resident memory, 0 where there is none."""
    lines = STATUS.read_text().splitlines()
    kibibytes = (int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return next(kibibytes, 0) * 1024


class _Samples:
    """The largest resident memory of all looks."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self._highest = 0

    def look(self) -> int:
        """Take one sample; bytes of the largest so far."""
        self._highest = max(self._highest, self._process.memory_info().rss)
        return self._highest
