"""The content of each role's local model folder, as a dependency of the stages that use it.

DVC cannot name such a folder among the deps of a stage: whether there is one depends on params.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from mathse.core.layout import Layout
from mathse.core.params import Params, RoleName
from mathse.engines.model_files import model_digest


def fingerprint_models(layout: Layout, params: Params) -> dict[RoleName, dict[str, str | None]]:
    """Return by role the content hash of its model, if that is a folder on this machine.

    It is None for a Hub id, a name that a server knows, and an engine without a model. Weights of
    gigabytes are read once: a hash is kept as long as size and times of all files stay the same.

    Raises:
        ParamError: if a folder holds no safetensors weights.
    """
    known = _load(layout.model_hashes)
    kept: dict[str, dict[str, Any]] = {}
    fingerprints: dict[RoleName, dict[str, str | None]] = {}
    for role in params.roles:
        folder = layout.folder / params.models.get(role, "")
        if role not in params.models or not folder.is_dir():
            fingerprints[role] = {"model": None}
            continue
        name, files = str(folder.resolve()), _sizes_and_times(folder)
        if known.get(name, {}).get("files") != files:
            known[name] = {"files": files, "digest": model_digest(folder)}
        kept[name] = known[name]
        fingerprints[role] = {"model": kept[name]["digest"]}
    # A kill leaves the old file or the new one.
    layout.model_hashes.parent.mkdir(parents=True, exist_ok=True)
    part = layout.model_hashes.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    part.replace(layout.model_hashes)
    return fingerprints


def _load(file: Path) -> dict[str, dict[str, Any]]:
    """Return the kept hashes by folder; nothing where the file is missing or damaged."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _sizes_and_times(folder: Path) -> list[list[Any]]:
    """Return name, size, and times of change (content; also name and rights) of each file."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    stats = [(file.name, file.stat()) for file in files]
    return [[name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats]
