"""Peak memory of this process."""

from __future__ import annotations

from pathlib import Path


def peak_mib() -> float:
    """Return the most memory this process has held, in MiB, since its program began (Linux).

    `ru_maxrss` will not do: a child inherits the peak of the process that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
