"""Which device and number format this machine should use, found without importing torch."""

from pathlib import Path
from typing import Literal

Precision = Literal["bfloat16", "float32"]
AskedPrecision = Literal["auto", "bfloat16", "float32"]
"""``auto`` is what this machine multiplies fastest."""


def has_cuda() -> bool:
    """Whether a CUDA device is usable; torch is asked only where a driver is loaded."""
    if not Path("/proc/driver/nvidia/version").exists():
        return False
    import torch

    return torch.cuda.is_available()


def device_name() -> str:
    """``cuda`` or ``cpu``."""
    return "cuda" if has_cuda() else "cpu"


def best_precision() -> Precision:
    """bf16 where the machine multiplies it natively, else fp32.

    On processors with AVX512-BF16 or AMX a bf16 product is several times faster than a fp32 one;
    without them it is emulated and slower.
    """
    if has_cuda():
        return "bfloat16"
    try:
        flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
    except OSError:
        return "float32"
    return "bfloat16" if flags & {"avx512_bf16", "amx_bf16"} else "float32"


def precision_of(asked: AskedPrecision) -> Precision:
    """The number format that is asked for, on this machine."""
    return best_precision() if asked == "auto" else asked


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
