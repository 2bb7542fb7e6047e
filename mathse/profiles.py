"""The folder of a run: profiles laid over `params.yaml`, in place or in a copy; whether the control belongs to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mathse.core.errors import ParamError
from mathse.core.params import load_params

PARTS = (
    "mathse",
    "schemas",
    "stages",
    "models",
    "profiles",
    "control",
    "queries",
    "params.yaml",
    "dvc.yaml",
    ".dvcignore",
)
_YAML = YAML()
_YAML.width = 120


def apply_profile(root: Path, name: str) -> Path:
    """Lay a file of `profiles/` over `params.yaml`; comments stay.

    Args:
        root: the folder of `params.yaml`.
        name: of the profile, without `.yaml`.

    Returns:
        The changed file.

    Raises:
        ParamError: if the profile does not exist, names an unknown key, or the result is not valid.
    """
    profile = root / "profiles" / f"{name}.yaml"
    if not profile.is_file():
        known = ", ".join(sorted(file.stem for file in (root / "profiles").glob("*.yaml")))
        raise ParamError(f"There is no profile {name!r}; there are: {known}")
    params = root / "params.yaml"
    before = params.read_text(encoding="utf-8")
    values = _YAML.load(before)
    _overlay(values, _YAML.load(profile.read_text(encoding="utf-8")) or {}, str(profile))
    with params.open("w", encoding="utf-8") as file:
        _YAML.dump(values, file)
    try:
        load_params(params)
    except ParamError:
        params.write_text(before, encoding="utf-8")
        raise
    return params


def copy_pipeline(root: Path, target: Path, profile: str | None = None) -> Path:
    """Copy code, params and models into a folder with a DVC of its own, and lay a profile over the params.

    A copy that is there already is brought up to date and keeps its data, so that a run in it
    resumes.

    Returns:
        The folder.

    Raises:
        ParamError: as `apply_profile`; or if the target holds something else.
    """
    if target.exists() and any(target.iterdir()) and not (target / "dvc.yaml").is_file():
        raise ParamError(
            f"{target} is not empty and holds no copy of the pipeline; choose another folder"
        )
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source, copy = root / part, target / part
        if source.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy(source, copy)
    settings = target / ".dvc"
    settings.mkdir(exist_ok=True)
    (settings / "config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n", encoding="utf-8"
    )
    if profile is not None:
        apply_profile(target, profile)
    return target


def control_is_outdated(root: Path) -> bool:
    """Tell whether the control was made from other data or other params than those of this run.

    Args:
        root: the folder of `dvc.lock`; without one, or without `control/dvc.lock`, nothing can be
            told.
    """
    locks = [root / "dvc.lock", root / "control" / "dvc.lock"]
    if not all(lock.is_file() for lock in locks):
        return False
    plain = YAML(typ="safe", pure=True)
    run, control = (plain.load(lock.read_text(encoding="utf-8"))["stages"] for lock in locks)
    made = {out["path"]: out["md5"] for stage in run.values() for out in stage.get("outs", [])}
    params = plain.load((root / "params.yaml").read_text(encoding="utf-8"))
    for stage in control.values():
        if any(made.get(dep["path"], dep["md5"]) != dep["md5"] for dep in stage["deps"]):
            return True
        if any(
            params.get(name) != value
            for name, value in stage.get("params", {}).get("params.yaml", {}).items()
        ):
            return True
    return False


def _overlay(values: Any, changes: Any, where: str, name: str = "") -> None:
    for key, value in changes.items():
        path = f"{name}{key}"
        if key not in values:
            raise ParamError(f"{where}: {path} is not a parameter; there are {', '.join(values)}")
        whole = path in ("rounds", "problems.figures")
        if not whole and isinstance(value, dict) and isinstance(values[key], dict):
            _overlay(values[key], value, where, f"{path}.")
        else:
            values[key] = value
