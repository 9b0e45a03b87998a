"""Compiled row-wise work on processors, in bf16 and fp32, where the machine has a C compiler.

``kernels.c`` is compiled once for each format and kept in the cache folder. Without a compiler, on
another device or in another format, callers do the same with torch's operations, which is what
tests compare with. Threads are those of torch: both use the same OpenMP library.
"""

import ctypes
import functools
import hashlib
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from textune.core import files
from textune.core.errors import StoreError
from textune.models.fetch import cache_folder

SOURCE = Path(__file__).with_name("kernels.c")
FLAGS = (
    "-O3",
    "-march=native",
    "-fopenmp",
    "-shared",
    "-fPIC",
    # sums in any order, as vectors need; -ffast-math would change rounding in the whole process
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-ffinite-math-only",
)
WIDE = ("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()
"""Vectors as wide as the processor has them, where compilers prefer half of that."""
FORMATS = {torch.bfloat16: (), torch.float32: ("-DFP32",)}
"""Formats of arrays, and what the source is compiled with for them."""
_Argument = torch.Tensor | int | float | None


class Kernels:
    """The functions of ``kernels.c`` for one format.

    Tensors are passed by address, whole and contiguous.
    """

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))

    def run(self, name: str, *arguments: _Argument) -> None:
        """Call one function."""
        getattr(self._library, name)(*map(_passed, arguments))


def _passed(argument: _Argument) -> object:
    if isinstance(argument, torch.Tensor):
        assert argument.is_contiguous(), "kernels read whole arrays"
        return ctypes.c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    return ctypes.c_float(argument) if argument is not None else ctypes.c_void_p(None)


def kernels_for(*tensors: torch.Tensor) -> Kernels | None:
    """What can work on such tensors together; None where torch must."""
    dtype = tensors[0].dtype
    if any(t.dtype != dtype or t.device.type != "cpu" for t in tensors):
        return None
    return compiled(dtype) if all(t.is_contiguous() for t in tensors) else None


@functools.cache
def compiled(dtype: torch.dtype) -> Kernels | None:
    """The kernels for a format, compiled now or before; None where that is not possible."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or dtype not in FORMATS:
        return None
    flags = (*FLAGS, *WIDE, *FORMATS[dtype])
    try:
        path = cache_folder() / "kernels" / f"{_digest(compiler, flags)}.so"
        if not path.is_file():
            with files.locked(path.with_suffix(".lock")):
                if not path.is_file():
                    _compile(compiler, flags, path)
        return Kernels(path)
    except (OSError, StoreError, subprocess.SubprocessError):
        return None


def _digest(compiler: str, flags: Sequence[str]) -> str:
    """What the result of compiling depends on: source, flags, compiler, processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processor = next((li for li in lines if li.startswith(("flags", "Features"))), "")
    version = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    parts = (SOURCE.read_bytes(), " ".join(flags).encode(), version, processor.encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _compile(compiler: str, flags: Sequence[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="textune-") as folder:
        made = Path(folder) / "kernels.so"
        command = [compiler, *flags, "-o", str(made), str(SOURCE), "-lm"]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with files.replacing(path) as temporary:
            shutil.copy(made, temporary)
