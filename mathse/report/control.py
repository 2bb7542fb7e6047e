"""Whether the control run belongs to the data and params of the run beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def control_is_outdated(root: Path) -> bool:
    """Return True if the control was made from other data or other params than those of this run.

    Args:
        root: the folder of `dvc.lock`; False without one, or without `control/dvc.lock`.
    """
    locks = [root / "dvc.lock", root / "control" / "dvc.lock"]
    if not all(lock.is_file() for lock in locks):
        return False
    run, control = (_read(lock)["stages"] for lock in locks)
    outs = {out["path"]: out["md5"] for stage in run.values() for out in stage.get("outs", [])}
    params = _read(root / "params.yaml")
    for stage in control.values():
        if any(outs.get(dep["path"], dep["md5"]) != dep["md5"] for dep in stage["deps"]):
            return True
        used = stage.get("params", {}).get("params.yaml", {})
        if any(_lookup(params, name) != value for name, value in used.items()):
            return True
    return False


def _read(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _lookup(values: Any, name: str) -> Any:
    """Return the value of a dotted name such as "eval.splits"; None if there is none."""
    for key in name.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values
