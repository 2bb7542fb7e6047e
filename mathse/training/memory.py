"""Memory of the host that a long training leaves free and scattered."""

from __future__ import annotations

import ctypes

RELEASE_EVERY_STEPS = 20


def release_memory() -> None:
    """Give free pages of the C library's heap back to the system, where it can (glibc).

    Batches of ever other sizes break the heap up: without this it grows with the steps.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
