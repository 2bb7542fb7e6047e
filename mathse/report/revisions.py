"""The tables of any commit or experiment, straight from DVC's cache: nothing is checked out."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from dvc.config import Config  # type: ignore[import-untyped]

from mathse.core.errors import DataError
from mathse.core.layout import Layout

WORKSPACE = "workspace"
_IN_GIT = ("params.yaml", "dvc.yaml", "dvc.lock", "overrides.csv", "code", "metrics")


def open_revision(project: str | Path, rev: str) -> Layout:
    """Return the paths of a commit's or experiment's tables: a folder of links into DVC's cache.

    The folder lies in `.mathse/revisions`. It has what DVC keeps (tables, curves, models) as far as
    the cache has it, and what Git keeps: params, lock, metrics, code fingerprints.

    Args:
        project: the project's folder, in a Git repository.
        rev: a commit, branch, tag or experiment; "workspace": what the project's folder has now.

    Raises:
        DataError: if there is no such revision, nothing was run in it, or the cache has nothing
            of it.
    """
    project = Path(project)
    if rev == WORKSPACE:
        return Layout(project)
    commit = resolve_commit(project, rev)
    layout = Layout(Layout(project.resolve()).revisions / commit[:16])
    layout.folder.mkdir(parents=True, exist_ok=True)
    _extract(project, commit, layout.folder)
    if not layout.dvc_lock.is_file():
        fix = "run `dvc repro` and commit dvc.lock"
        raise DataError(f"Nothing was run in {rev}: it has no dvc.lock.", file=project, fix=fix)
    cache = cache_folder(project)
    blobs = cache / "files" / "md5"
    found = [
        _link(blobs / digest[:2] / digest[2:], layout.folder / path)
        for path, digest in _outputs(layout.dvc_lock, blobs)
    ]
    if not any(found):
        fix = "`dvc fetch --all-commits`, or `dvc exp pull` for an experiment"
        raise DataError(f"DVC's cache has no table of {rev}.", file=cache, fix=fix)
    return layout


def resolve_commit(project: str | Path, rev: str) -> str:
    """Return the hash of a commit, branch, tag or experiment.

    Raises:
        DataError: if there is none, or more than one experiment of that name.
    """
    listed = _git(project, "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    refs = (line.split(" ", 1) for line in (listed or b"").decode().splitlines())
    # "refs/exps/3f/2a…/sharp-gulls" is the experiment sharp-gulls
    named = {commit for commit, ref in refs if ref.count("/") == 4 and ref.endswith(f"/{rev}")}
    if len(named) > 1:
        fix = "name its commit: `dvc exp list --all-commits --sha-only`"
        raise DataError(f"{len(named)} experiments are called {rev}.", file=project, fix=fix)
    words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
    found = _git(project, *words)
    if not named and not found:
        fix = "`git log --oneline` and `dvc exp list --all-commits` list them"
        raise DataError(f"{rev} is no commit and no experiment.", file=project, fix=fix)
    return named.pop() if named else (found or b"").decode().strip()


def cache_folder(project: str | Path) -> Path:
    """Return DVC's cache: the one that its config names, else `.dvc/cache` of the repository.

    Raises:
        DataError: if the project belongs to no DVC repository.
    """
    root = Path(project).resolve()
    for folder in [root, *root.parents]:
        if (folder / ".dvc").is_dir():
            named = Config(str(folder / ".dvc")).get("cache", {}).get("dir")
            return folder / ".dvc" / Path(named or "cache")
    raise DataError("This folder is in no DVC repository.", file=root, fix="run `dvc init`")


def _extract(project: Path, commit: str, folder: Path) -> None:
    """Write what Git has of a commit into a folder."""
    listed = _git(project, "ls-tree", "--name-only", commit, *_IN_GIT)
    if names := (listed or b"").decode().splitlines():
        archive = _git(project, "archive", commit, "--", *names)
        with tarfile.open(fileobj=io.BytesIO(archive or b"")) as tar:
            # Without links, which could lead out of the folder; 3.11.2 knows no `filter` yet.
            tar.extractall(folder, members=[one for one in tar if one.isfile() or one.isdir()])


def _outputs(lock: Path, blobs: Path) -> Iterator[tuple[str, str]]:
    """Yield path and MD5 of each file that a lock names; those of a folder from its listing."""
    stages: dict[str, Any] = yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages") or {}
    for out in (out for stage in stages.values() for out in stage.get("outs", ())):
        digest = out.get("md5", "")
        listing = blobs / digest[:2] / digest[2:]
        if not digest.endswith(".dir"):
            yield out["path"], digest
        elif listing.is_file():
            for entry in json.loads(listing.read_text(encoding="utf-8")):
                yield f"{out['path']}/{entry['relpath']}", entry["md5"]


def _link(source: Path, target: Path) -> bool:
    """Link to a file of the cache, or remove the link to one that is gone; return if it is there.

    What Git has stays as it is.
    """
    if target.is_symlink():
        target.unlink()
    if source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    return source.is_file()


def _git(project: str | Path, *words: str) -> bytes | None:
    """Return what Git prints; None if it fails."""
    done = subprocess.run(["git", "-C", str(project), *words], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None
