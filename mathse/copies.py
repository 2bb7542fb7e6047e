"""Copies of the pipeline: a new folder with code, params and models, a Git and a DVC of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from mathse.core.errors import ParamError
from mathse.profiles import RECORD, apply_profile, plan_profile

MARKER = Path(".mathse/copy.json")
"""Written into each copy, with the project it comes from. No other folder is written to."""
PARTS = (
    *("mathse", "schemas", "stages", "models", "profiles", "prompts", "queries"),
    *("params.yaml", "machine.yaml", "dvc.yaml", "imports.json", "overrides.csv"),
    *(".dvcignore", ".gitignore", ".dvc/plots"),
)
_IDENTITY = {"user.name": "MathSE", "user.email": "mathse@localhost"}


def copy_pipeline(root: Path, target: Path, profile: str | None = None) -> Path:
    """Copy code, params and models into a new folder and apply a profile there.

    A copy that MathSE made from this project before is brought up to date and keeps its data, so
    that a run in it resumes; what was changed in its files is committed to its Git first.

    Returns:
        The folder.

    Raises:
        ParamError: before anything is written: if the target is the project, contains it, lies in
            it (but for `build/`) or in another one, or holds anything that is not such a copy; or
            as `apply_profile`.
    """
    root, target = root.resolve(), target.resolve()
    if reason := _why_not(root, target):
        raise ParamError(
            f"The pipeline cannot be copied to {target}: {reason}.\n"
            "  fix: name a folder that does not exist yet, such as build/NAME"
        )
    if profile is not None:
        plan_profile(root, profile)
    is_new = not (target / MARKER).is_file()
    (target / MARKER).parent.mkdir(parents=True, exist_ok=True)
    (target / MARKER).write_text(json.dumps({"copied_from": str(root)}) + "\n", encoding="utf-8")
    _write_settings(target)
    if not is_new:
        _commit(target, "Changes made in the copy")
    for part in (*PARTS, RECORD):
        _replace(root / part, target / part)
    if profile is not None:
        apply_profile(target, profile)
    _commit(target, f"Copy of the pipeline, profile {profile or 'none'}")
    return target


def _why_not(root: Path, target: Path) -> str | None:
    """Return why a copy of the project may not be written to a folder; None if it may."""
    if _same(target, root):
        return "it is the project itself"
    for folder in target.parents:
        inside = target.relative_to(folder).parts
        if _same(folder, root) and (inside[0] != "build" or len(inside) == 1):
            return "it lies in the project; only build/NAME may"
        if (folder / "dvc.yaml").is_file() and not _same(folder, root):
            return f"it lies in another project, {folder}"
    if any(_same(folder, target) for folder in root.parents):
        return "it contains the project"
    if not target.exists():
        return None
    if not target.is_dir():
        return "it is a file"
    source = _copied_from(target)
    if source is None and any(target.iterdir()):
        return f"it is not empty and has no {MARKER}, which MathSE writes"
    return f"it is a copy of another project, {source}" if source not in (None, str(root)) else None


def _same(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _copied_from(target: Path) -> str | None:
    """Return the project that a folder was copied from; None if MathSE did not write its marker."""
    try:
        return str(json.loads((target / MARKER).read_text(encoding="utf-8"))["copied_from"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _replace(source: Path, copy: Path) -> None:
    """Put a file or folder in place of another; a link is removed, not followed."""
    if copy.is_symlink() or copy.is_file():
        copy.unlink()
    elif copy.is_dir():
        shutil.rmtree(copy)
    if source.is_dir():
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.is_file():
        shutil.copy(source, copy)


def _write_settings(target: Path) -> None:
    """Make the copy a DVC project and, if Git is installed, a repository: `dvc exp` needs it."""
    has_git = shutil.which("git") is not None
    if has_git and not (target / ".git").exists():
        _git(target, "-c", "init.defaultBranch=main", "init", "--quiet")
        for name, value in _IDENTITY.items():
            if not _git(target, "config", name, check=False):
                _git(target, "config", name, value)
    settings = target / ".dvc"
    if settings.exists() or settings.is_symlink():
        return
    settings.mkdir()
    lines = ["[core]", "    analytics = false", *([] if has_git else ["    no_scm = true"])]
    (settings / "config").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (settings / ".gitignore").write_text("/config.local\n/tmp\n/cache\n", encoding="utf-8")


def _commit(target: Path, message: str) -> None:
    """Commit what differs from the last commit; what `.gitignore` names stays out."""
    if shutil.which("git") is None:
        return
    _git(target, "add", "--all")
    if _git(target, "diff", "--cached", "--name-only"):
        options = ("-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null")
        _git(target, *options, "commit", "--quiet", "--message", message)


def _git(folder: Path, *arguments: str, check: bool = True) -> str:
    """Run Git in a folder, whatever repository the caller is in, and return what it prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if check and done.returncode:
        raise ParamError(f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}")
    return done.stdout.strip()
