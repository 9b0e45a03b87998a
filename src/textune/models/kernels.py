"""Compiled row-wise work on processors, in bf16 and fp32, where the machine has a C compiler.

A source is compiled once for each format and kept in the cache folder. Without a compiler, on
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
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from textune.core import files
from textune.core.errors import StoreError
from textune.models.device import processor
from textune.models.fetch import cache_folder

FOLDER = Path(__file__).parent
"""Where sources and what they include lie."""
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
    """The functions of one source for one format.

    Tensors are passed by address, whole and contiguous.
    """

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path))
        self._functions: dict[str, Callable[..., int]] = {}

    def run(self, name: str, *arguments: _Argument) -> int:
        """Call one function; what it gives counts only where it gives a long.

        The first call says of what kind each argument is: an address, a long or a float.
        """
        function = self._functions.get(name)
        if function is None:
            declared = getattr(self._library, name)
            declared.restype, declared.argtypes = ctypes.c_long, [*map(_kind, arguments)]
            function = self._functions[name] = declared
        return function(*[_address(a) if isinstance(a, torch.Tensor) else a for a in arguments])


def _kind(argument: _Argument) -> type:
    if argument is None or isinstance(argument, torch.Tensor):
        return ctypes.c_void_p
    return ctypes.c_long if isinstance(argument, int) else ctypes.c_float


def _address(tensor: torch.Tensor) -> int:
    assert tensor.is_contiguous(), "kernels read whole arrays"
    return tensor.data_ptr()


def kernels_for(*tensors: torch.Tensor) -> Kernels | None:
    """What can work on such tensors together; None where torch must."""
    dtype = tensors[0].dtype
    for each in tensors:
        if each.dtype != dtype or not each.is_cpu or not each.is_contiguous():
            return None
    return compiled(dtype)


@functools.cache
def compiled(dtype: torch.dtype) -> Kernels | None:
    """The kernels for a format, compiled now or before; None where that is not possible."""
    return library("kernels.c", FORMATS[dtype]) if dtype in FORMATS else None


def library(source: str, defined: Sequence[str] = ()) -> Kernels | None:
    """What a source of this folder gives, compiled now or before; None where it cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    command = (compiler, *FLAGS, *WIDE, *defined)
    try:
        path = cache_folder() / "kernels" / f"{_digest(command, source)}.so"
        if not path.is_file():
            with files.locked(path.with_suffix(".lock")):
                if not path.is_file():
                    _compile((*command, str(FOLDER / source)), path)
        return Kernels(path)
    except (OSError, StoreError, subprocess.SubprocessError):
        return None


def _digest(command: Sequence[str], source: str) -> str:
    """What the result of compiling depends on: sources, command, compiler, processor.

    Not the folder: two copies of the project share what they compile.
    """
    version = subprocess.run([command[0], "--version"], capture_output=True, check=False).stdout
    sources = [path.read_bytes() for path in sorted(FOLDER.glob("*.[ch]"))]
    parts = (
        *sources,
        " ".join((*command, source)).encode(),
        version,
        " ".join(processor()).encode(),
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _compile(command: Sequence[str], path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="textune-") as folder:
        made = Path(folder) / "kernels.so"
        whole = [*command, "-o", str(made), "-lm"]
        subprocess.run(whole, check=True, capture_output=True, timeout=120)
        with files.replacing(path) as temporary:
            shutil.copy(made, temporary)
