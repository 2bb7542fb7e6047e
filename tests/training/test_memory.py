"""Free memory between blocks in use goes back to the system."""

from __future__ import annotations

import subprocess
import sys

from tests.closure import ROOT

# 40,000 blocks of 4 KiB, freed but for each hundredth: the heap cannot shrink from its end.
SCATTERED = """
import ctypes
from mathse.training.memory import release_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def resident_mib():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
blocks = [libc.malloc(4096) for _ in range(40_000)]
for block in blocks:
    ctypes.memset(block, 1, 4096)
for number, block in enumerate(blocks):
    if number % 100:
        libc.free(block)
before = resident_mib()
release_memory()
print(before - resident_mib())
"""


def test_scattered_memory_is_released() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCATTERED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 100, done.stdout
