"""Hand-made images and data files for the tests of sources."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
from PIL import Image, ImageDraw

import schemas
from mathse.core.tables import read_table
from mathse.datasets.importing import import_source


def picture(number: int, form: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    """Draw a small picture that differs from those with other numbers."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle(
        (number % 20, 2, number % 20 + 5 + number % 7, 20), fill=(number * 37 % 200, 10, 90)
    )
    ImageDraw.Draw(image).text((2, 15), str(number), fill="black")
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def put(path: Path, content: object) -> Path:
    """Write bytes as they are, text in UTF-8, a list to .jsonl as lines, else JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif path.suffix == ".jsonl":
        assert isinstance(content, list)
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content), encoding="utf-8"
        )
    else:
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


class Imported:
    """An import's tables, checked by their contracts, and its counts."""

    def __init__(self, out: Path, counts: dict[str, Any]) -> None:
        self.out, self.counts = out, counts
        self.problems = read_table(out / "problems.parquet")
        for split in self.problems["split"].unique():  # a problem is once in each of its splits
            schemas.validate(self.problems.filter(split=split), schemas.Problem, file="problems")
        self.images = schemas.validate(read_table(out / "images"), schemas.Image, file="images")
        self.quarantined = schemas.validate(
            read_table(out / "quarantine.parquet"), schemas.Quarantine, file="quarantine"
        )
        assert json.loads((out / "import.json").read_text("utf-8")) == counts
        assert counts["rows"] == counts["problems"] + counts["quarantined"] + counts["duplicates"]
        assert (
            counts["problems"] == self.problems.height
            and counts["quarantined"] == self.quarantined.height
        )
        used = set(self.problems["image_ids"].explode(empty_as_null=False))
        assert used == set(self.images["image_id"]) and counts["images"] == len(used)
        assert not list(out.parent.glob(".*.import")), "the journal is removed"

    def rows(self) -> list[dict[str, Any]]:
        """Return the problems with `meta` read, in the order of their questions."""
        listed = self.problems.sort("question", "language", "answer").to_dicts()
        return [{**row, "meta": json.loads(row["meta"])} for row in listed]

    def row(self) -> dict[str, Any]:
        """Return the only problem."""
        (row,) = self.rows()
        return row


def bring(name: str, path: Path, tmp: Path, **options: Any) -> Imported:
    """Import and check what every import must keep."""
    out = tmp / "out" / name
    return Imported(out, import_source(name, path, out, **options))


def parquet(path: Path, rows: Sequence[dict[str, Any]], **types: Any) -> Path:
    """Write rows as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(
        list(rows), schema_overrides=types or None, strict=False, infer_schema_length=None
    ).write_parquet(path)
    return path


def hub_image(data: bytes, path: str | None = None) -> dict[str, Any]:
    """Return an image as a Hugging Face data set stores it."""
    return {"bytes": data, "path": path}
