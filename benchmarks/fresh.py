"""Fresh processes, their peak memory, and the lines that say what was measured where."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from typing import TypeVar

from textune.cost.memory import STATUS
from textune.models.device import device_peak
from textune.study.machine import hardware, versions

Asked = TypeVar("Asked")
Measured = TypeVar("Measured")


def in_fresh_process(work: Callable[[Asked], Measured], asked: Asked) -> Measured:
    """Do one piece of work in a new interpreter, which ends with it."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        return pool.submit(work, asked).result()


def peak_bytes() -> int:
    """The most memory that this process ever had: of the accelerator where there is one.

    Else resident memory (``VmHWM`` of ``proc(5)``).
    """
    if (accelerator := device_peak()) is not None:
        return accelerator.read()
    lines = STATUS.read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def print_heading(*packages: str) -> None:
    """The machine, and the versions of what can change a number."""
    found = versions() | {name: version(name) for name in packages}
    names = ("python", "textune", "torch", "transformers", "peft", *packages)
    print(f"machine: {hardware()}")
    print("versions: " + ", ".join(f"{name} {found[name]}" for name in names))


def gigabytes(size: int) -> str:
    """Bytes for people."""
    return f"{size / 1e9:.2f} GB"
