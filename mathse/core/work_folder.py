"""A shared work folder: each project has a folder of its own there, named by its id.

The id is in `.mathse/project_id` and goes with the project wherever it is moved. The folder names
the project that has it, so that a copy, which has the same id, takes another one.
"""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mathse.core.errors import DataError

_ID = Path(".mathse", "project_id")
_OWNER = "project"  # file in a project's folder: the path of the project


def project_folder(work: Path, project: Path) -> Path:
    """Return the folder of a project in a shared work folder; make it where there is none.

    Raises:
        DataError: if it cannot be made.
    """
    here = project.resolve()
    with _locked(here / _ID.parent):
        name = _read(here / _ID)
        while not name or not _claim(work / name, here):
            name = secrets.token_hex(4)
            _write(here / _ID, name)
    return work / name


def _claim(folder: Path, project: Path) -> bool:
    """Take a folder for a project; return False if it is that of another one."""
    with _locked(folder):
        owner = Path(_read(folder / _OWNER))
        if owner == project:
            return True
        if owner.is_absolute() and _read(owner / _ID) == folder.name:
            return owner.samefile(project)  # else this is a copy of the owner
        _write(folder / _OWNER, str(project))
        return True


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def _write(file: Path, text: str) -> None:
    from mathse.core.tables import open_durably  # needs polars, which `mathse --help` does without

    with open_durably(file) as out:
        out.write(text.encode("utf-8"))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out, until this one is done or has ended."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise DataError(
            f"This folder cannot be written: {error}",
            file=folder,
            fix="make it writable, or name another work_folder in machine.yaml",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
