import ctypes
import json
import subprocess
import sys

import pytest

SIZE = 48 * 2**20
"""Bytes of an array that glibc by itself takes from the system and gives back each time."""
SCRIPT = f"""
import json, resource, psutil
from textune.cost.memory import keep_memory, release_memory

resident = lambda: psutil.Process().memory_info().rss
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
keep_memory()
before = resident()
bytearray(b"x") * {SIZE}
kept, once = resident() - before, faults()
for _ in range(10):
    bytearray(b"x") * {SIZE}
again = faults() - once
release_memory()
print(json.dumps([kept, again, resident() - before]))
"""

HOLES = f"""
import json, psutil
from textune.cost.memory import keep_memory, sparing_memory

resident = lambda: psutil.Process().memory_info().rss

def holes():
    before = resident()
    arrays = [bytearray(b"x") * ({SIZE} // 32) for _ in range(32)]
    del arrays[:-1:2], arrays[:-1]  # the last one keeps the heap from shrinking
    return resident() - before

keep_memory()
with sparing_memory():
    sparing = holes()
print(json.dumps([sparing, holes()]))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_where_memory_is_short_each_array_is_given_back():
    said = subprocess.run([sys.executable, "-c", HOLES], capture_output=True, check=True).stdout
    sparing, usual = json.loads(said)
    assert sparing < SIZE / 8
    assert usual > SIZE / 2, "and afterwards memory is kept again"


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="not glibc")
def test_freed_memory_is_kept_for_the_next_array_until_it_is_released():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True).stdout
    kept, faults, released = json.loads(said)
    assert kept > SIZE / 2
    assert faults < 500, "an array has 12,288 pages"
    assert released < SIZE / 2
