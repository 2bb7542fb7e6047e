"""The process in which Math-Verify (SymPy) runs under a memory cap: JSON in, JSON out.

It is started by file name, `python -P sympy_worker.py MEMORY_MB PIPE`, and imports nothing of this
package, so that it is ready quickly. It does not limit its own time: the parent kills it.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any


def main(memory_mb: int, pipe: Connection) -> None:
    """Answer requests until the pipe is closed, with a cap on the address space in MiB."""
    cap = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    logging.disable(logging.CRITICAL)
    sys.setrecursionlimit(2_000)
    import math_verify  # type: ignore[import-untyped]  # noqa: F401  (slow: before any timing)

    pipe.send_bytes(b"ready")
    while True:
        try:
            request = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send_bytes(json.dumps(_reply(json.loads(request))).encode())


def _reply(request: dict[str, Any]) -> dict[str, str]:
    try:
        return decide(**request)
    except MemoryError:
        return {"state": "error", "reason": "memory_cap"}
    except RecursionError:
        return {"state": "error", "reason": "too_deep"}
    except Exception as problem:  # SymPy raises anything at all on odd input
        return {"state": "error", "reason": f"sympy_{type(problem).__name__}"}


def decide(gold: str, found: str, digits: int) -> dict[str, str]:
    """Compare two answers (LaTeX without delimiters) with Math-Verify, floats rounded to `digits`.

    Returns:
        `state` (match, unknown or unreadable) and `reason`.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    kinds = [LatexExtractionConfig()]
    left = parse(f"${gold}$", kinds, parsing_timeout=None)
    right = parse(f"${found}$", kinds, parsing_timeout=None)
    if not all(any(not isinstance(value, str) for value in side) for side in (left, right)):
        return {"state": "unreadable", "reason": "answer_unreadable" if left else "gold_unreadable"}
    equal = verify(
        left,
        right,
        float_rounding=digits,
        strict=True,
        allow_set_relation_comp=True,
        timeout_seconds=None,
    )
    if equal:
        return {"state": "match", "reason": "sympy_equal"}
    return {"state": "unknown", "reason": "sympy_different"}


def _leave_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), Connection(int(sys.argv[2])))
