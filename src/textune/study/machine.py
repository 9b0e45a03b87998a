"""What a run was done with: versions of the libraries, and the hardware in words."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from textune.models.device import has_cuda, machine_bytes

PACKAGES = (
    "textune",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "scikit-learn",
    "scipy",
    "statsmodels",
    "numpy",
)


def versions() -> dict[str, str]:
    """Python and the libraries that can change a number."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def hardware() -> str:
    """The device that does the work, in words."""
    memory = machine_bytes() / 2**30
    text = f"{cores()} cores of {_processor()}, {memory:.0f} GiB memory"
    if has_cuda():
        import torch

        text += f"; {torch.cuda.get_device_name()}"
    return text


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"
