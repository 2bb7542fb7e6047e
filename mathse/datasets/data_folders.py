"""Where a data set lies: a folder, a file, or what a download from the Hugging Face Hub leaves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from mathse.core.errors import DataError
from mathse.datasets.protocol import DataFile, Source

# "AI4Math/MathVista", "https://huggingface.co/datasets/AI4Math/MathVista"
_HUB_ID = re.compile(r"(?:https://huggingface\.co/datasets/)?([\w.-]+/([\w.-]+))/?")
_MAX_LISTED = 8


def find_folder(path: str | Path) -> Path:
    """Return the data set's folder or file; of a Hub cache the snapshot that `main` names.

    Raises:
        DataError: if it is not there; for the id of a Hub data set with the download command.
    """
    root = Path(path)
    if (root / "snapshots").is_dir() and (root / "blobs").is_dir():
        main = root / "refs" / "main"
        found = sorted((root / "snapshots").iterdir())
        name = main.read_text("utf-8").strip() if main.is_file() else found[-1].name
        return root / "snapshots" / name
    if root.exists():
        return root
    fix = "give the folder (or the file) that was downloaded"
    # A path drops one of the two slashes of an address.
    if match := _HUB_ID.fullmatch(str(path).replace(":/h", "://h")):
        folder = f"downloads/{match[2]}"
        fix = (
            f"if this is a data set of the Hub: `hf download {match[1]} --repo-type dataset "
            f"--local-dir {folder}`, then import {folder}"
        )
    raise DataError("There is no such folder or file.", file=path, fix=fix)


def allowed_folders(root: Path, images: str | Path | None = None) -> list[Path]:
    """Return the folders that images may lie in: the data set's first.

    A snapshot of the Hub links into blobs/ beside its parent: that is one of them.
    """
    folders = [root if root.is_dir() else root.parent, *([Path(images)] if images else [])]
    whole = folders[0].absolute()
    stores = [one.parent / "blobs" for one in (whole, *whole.parents) if one.name == "snapshots"]
    return folders + [folder for folder in stores if folder.is_dir()]


def find_files(source: Source, root: Path, images: str | Path | None = None) -> Sequence[DataFile]:
    """Return the data files of a source; their images are looked up in the folder `images` too.

    Raises:
        DataError: if there are none, with names of what is there instead.
    """
    if files := source.files(root):
        further = (Path(images),) if images else ()
        return [replace(file, roots=(*file.roots, *further)) for file in files]
    seen = list(islice((file.name for file in root.rglob("*") if file.is_file()), _MAX_LISTED))
    there = f"; there are {', '.join(sorted(seen))}" if seen else ""
    message = f"Nothing of {source.title} is here{there}."
    raise DataError(message, file=root, rule="the layout is as published", fix=source.expects)
