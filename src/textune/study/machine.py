"""What a run was done with: versions of the libraries, and the hardware in words."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from textune.models.device import has_cuda, machine_bytes, said_of_processor

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
    model = said_of_processor("model name") or platform.processor() or "unknown processor"
    text = f"{cores()} cores of {model}, {memory:.0f} GiB memory"
    if has_cuda():
        import torch

        text += f"; {torch.cuda.get_device_name()}"
    return text
