"""Packs: many small entries of a journal in few files."""

from __future__ import annotations

import time
from pathlib import Path

import polars as pl
import pytest

import mathse.core.journal_packs as packs
from mathse.core.errors import DataError
from mathse.core.journal import prune
from mathse.core.journal_packs import PackLimits, PackWriter, list_packs, load_pack, shrink_packs

SCHEMA = pl.Schema({"text": pl.String(), "cost": pl.Float64()})
LONG_S = 3600.0


def rows(key: str) -> list[dict[str, object]]:
    return [{"text": f"{key} {n}", "cost": None if n else 1} for n in range(2)]


def write(folder: Path, keys: list[str], limits: PackLimits) -> None:
    with PackWriter(folder, SCHEMA, limits) as writer:
        for key in keys:
            writer.add(key, rows(key))


def read(folder: Path) -> dict[str, list[dict[str, object]]]:
    return {key: of for name in list_packs(folder) for key, of in load_pack(folder, name).items()}


def test_many_entries_are_few_files_and_come_back(tmp_path: Path) -> None:
    keys = [f"k{n}" for n in range(1000)]
    write(tmp_path, keys, PackLimits(256, LONG_S))
    assert len(list(tmp_path.iterdir())) == 2 * 4
    assert read(tmp_path) == {key: rows(key) for key in keys}


def test_a_damaged_pack_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b", "c", "d"], PackLimits(2, LONG_S))
    name = next(name for name, keys in list_packs(tmp_path).items() if "a" in keys)
    (tmp_path / f"{name}.parquet").write_bytes(b"half")
    assert read(tmp_path).keys() == {"c", "d"} and load_pack(tmp_path, name) == {}


def test_an_entry_alone_is_written_soon(tmp_path: Path) -> None:
    with PackWriter(tmp_path, SCHEMA, PackLimits(1000, 0.05)) as writer:
        for key in ("a", "b"):
            writer.add(key, rows(key))
            end = time.monotonic() + 20
            while key not in read(tmp_path) and time.monotonic() < end:
                time.sleep(0.02)
            assert key in read(tmp_path)


def test_what_waits_is_written_when_an_error_passes(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="engine died"),
        PackWriter(tmp_path, SCHEMA, PackLimits(1000, LONG_S)) as writer,
    ):
        writer.add("a", rows("a"))
        raise RuntimeError("engine died")
    assert read(tmp_path) == {"a": rows("a")}


def test_a_full_disk_ends_the_work_and_loses_nothing_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def full(*_: object) -> None:
        tried.append(1)
        raise DataError("No space left on device")

    with (
        pytest.raises(DataError, match="No space left"),
        PackWriter(tmp_path, SCHEMA, PackLimits(1000, 0.01)) as writer,
        monkeypatch.context() as disk,
    ):
        disk.setattr(packs, "store_chunk", full)
        writer.add("a", rows("a"))
        end = time.monotonic() + 20
        while not tried and time.monotonic() < end:
            time.sleep(0.01)
        writer.add("b", rows("b"))
    assert read(tmp_path).keys() == {"a", "b"}


def test_packs_lose_what_is_not_wanted(tmp_path: Path) -> None:
    write(tmp_path, ["a", "b", "c", "d", "e", "f"], PackLimits(2, LONG_S))
    before = list_packs(tmp_path)
    prune(tmp_path, shrink_packs(tmp_path, before, {"a", "b", "c", "x"}))
    assert read(tmp_path) == {key: rows(key) for key in "abc"}
    assert len(before.keys() & list_packs(tmp_path).keys()) == 1, (
        "the one that is wanted as a whole"
    )
