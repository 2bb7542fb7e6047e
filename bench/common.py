"""Shared by all measurements: peak memory, the machine, and files of results."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"


def peak_mib() -> float:
    """Return the peak memory of this process in MiB since its program began (Linux).

    `ru_maxrss` will not do: a child inherits the peak of the process that started it.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def machine() -> dict[str, Any]:
    """Return the processor, its cores available to this process, and the memory in GiB."""
    names = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(pages / 2**30, 1),
        "system": platform.platform(),
    }


def is_installed(package: str) -> bool:
    """Return True if a distribution of this name is installed."""
    try:
        return bool(importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        return False


def save(name: str, result: dict[str, Any], packages: tuple[str, ...] = ()) -> None:
    """Write `bench/results/NAME.json`: the result with date, machine and versions."""
    versions = {"python": platform.python_version()}
    versions |= {package: importlib.metadata.version(package) for package in packages}
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    content = {"date": date, "machine": machine(), "versions": versions, **result}
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{name}.json"
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    typer.echo(f"wrote {file.relative_to(ROOT)}")
