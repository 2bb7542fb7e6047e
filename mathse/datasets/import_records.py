"""imports.json at the project's root: what was imported into which folder, with a digest.

The stage `problems` depends on this small file instead of the imported tables, which may be large:
a new import into the same folder changes the digest, and the stage runs again.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mathse.core.errors import DataError
from mathse.core.ids import folder_digest
from mathse.core.layout import Layout
from mathse.core.params import Table
from mathse.core.tables import open_durably

_FIX = "run `mathse import NAME PATH --out` with this folder in this project (`mathse import list`)"


def record_import(layout: Layout, folder: str | Path, **arguments: Any) -> None:
    """Write an entry for a finished import: its arguments, counts and digest.

    Imports that end at the same time wait for one another here, so that no entry is lost.

    Raises:
        DataError: if the folder is no finished import, or imports.json cannot be read or written.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    record = {
        **_read_counts(folder),
        "arguments": json.loads(json.dumps(given, default=str)),
        "digest": folder_digest(folder),
    }
    lock = layout.lock("imports")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        records = {**_read_records(layout), _key(layout, folder): record}
        text = json.dumps(records, indent=2, sort_keys=True, ensure_ascii=False)
        with open_durably(layout.imports) as file:
            file.write(f"{text}\n".encode())


def check_imports(layout: Layout, tables: Sequence[Table]) -> None:
    """Check that the imports are those of imports.json.

    Raises:
        DataError: if a folder is no finished import, is not recorded, or was changed since.
    """
    records = _read_records(layout)
    for table in tables:
        _read_counts(table.path)
        record = records.get(_key(layout, table.path))
        if record is None:
            message = f"The import in {table.path} is not recorded."
            rule = "each imported folder has an entry"
            raise DataError(message, file=layout.imports, rule=rule, fix=_FIX)
        if record.get("digest") != folder_digest(table.path):
            message = f"The files in {table.path} are not those that were imported."
            rule = "the digest of an imported folder is the recorded one"
            raise DataError(message, file=layout.imports, rule=rule, fix=_FIX)


def _read_counts(folder: str | Path) -> dict[str, Any]:
    return _read(Path(folder) / "import.json", "This folder holds no finished import.")


def _read_records(layout: Layout) -> dict[str, dict[str, Any]]:
    exists = layout.imports.is_file()
    return _read(layout.imports, "The records of imports are not readable.") if exists else {}


def _read(file: Path, message: str) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(message, file=file, fix=_FIX) from error
    if not isinstance(found, dict):
        raise DataError(message, file=file, rule="the file is a JSON object", fix=_FIX)
    return found


def _key(layout: Layout, folder: str | Path) -> str:
    """Return the folder relative to the project's root, or whole if it lies elsewhere."""
    path, root = Path(folder).resolve(), layout.folder.resolve()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()
