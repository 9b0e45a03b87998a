"""Which device and number format this machine should use, found without importing torch."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

GROUPS = Path("/sys/fs/cgroup")
"""Where control groups are found."""
OWN_GROUPS = Path("/proc/self/cgroup")
"""Which ones this process is in."""
LIMITS = {"": ("", "memory.max"), "memory": ("memory", "memory.limit_in_bytes")}
"""Controllers of a line of it -> where its groups are, and the file that limits memory."""
USABLE = 0.9
"""Share of the memory that is filled; the rest is for whatever else runs."""

Precision = Literal["bfloat16", "float32"]
AskedPrecision = Literal["auto", "bfloat16", "float32"]
"""``auto`` is what this machine multiplies fastest."""


def has_cuda() -> bool:
    """Whether a CUDA device is usable; torch is asked only where a driver is loaded."""
    if not Path("/proc/driver/nvidia/version").exists():
        return False
    import torch

    return torch.cuda.is_available()


def device_name() -> Literal["cpu", "cuda"]:
    """What does the work."""
    return "cuda" if has_cuda() else "cpu"


def best_precision() -> Precision:
    """bf16 where the machine multiplies it natively, else fp32.

    On processors with AVX512-BF16 or AMX a bf16 product is several times faster than a fp32 one;
    without them it is emulated and slower.
    """
    if has_cuda():
        return "bfloat16"
    return "bfloat16" if bf16_products() else "float32"


def bf16_products() -> str | None:
    """What the processor calls its products of bf16, of its matrix unit first; None: it has none.

    Those are AMX and AVX512-BF16.
    """
    return next((name for name in ("amx_bf16", "avx512_bf16") if name in processor()), None)


def processor() -> list[str]:
    """What the processor can do, by the names that the system gives; empty where it tells none."""
    return said_of_processor("flags", "Features").split()


def said_of_processor(*names: str) -> str:
    """The first that ``/proc/cpuinfo`` has under one of these names; empty where it has none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in names:
                return value.strip()
    return ""


def precision_of(asked: AskedPrecision) -> Precision:
    """The number format that is asked for, on this machine."""
    return best_precision() if asked == "auto" else asked


def memory_bytes() -> int:
    """Memory of the device that does the work: the CUDA device's, else what this process may have.

    That is the machine's, or less where a control group (of a container, of a cluster's job) says.
    """
    if has_cuda():
        import torch

        return int(torch.cuda.get_device_properties(0).total_memory)
    return min([machine_bytes(), *_group_limits()])


def machine_bytes() -> int:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def usable_bytes() -> int:
    """As much of it as textune fills by itself."""
    return int(USABLE * memory_bytes())


def _group_limits() -> Iterator[int]:
    """Limits of the control groups that this process is in, of either version (``cgroups(7)``)."""
    try:
        lines = OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in LIMITS:
            tree, name = LIMITS[controllers]
            group = GROUPS / tree / path.lstrip("/")
            for folder in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError):  # "max" is no number
                    yield int((folder / name).read_text(encoding="utf-8"))


class CudaPeak:
    """Peak memory that torch has allocated on the CUDA device."""

    def reset(self) -> None:
        """Forget the peak so far."""
        import torch

        torch.cuda.reset_peak_memory_stats()

    def read(self) -> int:
        """Bytes at the highest point since the reset."""
        import torch

        return int(torch.cuda.max_memory_allocated())


def device_peak() -> CudaPeak | None:
    """What measures the device's memory; None on a CPU, where resident memory counts."""
    return CudaPeak() if has_cuda() else None


def price_name() -> str:
    """What the price table calls this machine: the CPU, or a GPU by the size of its memory."""
    if not has_cuda():
        return "cpu"
    import torch

    gib = torch.cuda.get_device_properties(0).total_memory / 2**30
    if gib < 30:
        return "gpu-small"
    return "gpu-large" if gib < 100 else "gpu-huge"
