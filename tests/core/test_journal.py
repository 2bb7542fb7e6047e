from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mathse.core.errors import ParamError
from mathse.core.journal import is_stored, load_chunk, prune, store_chunk

ROWS = pl.DataFrame({"item": [1, 2, 3], "text": ["a", "b", "c"]})


def test_a_stored_chunk_comes_back(tmp_path: Path) -> None:
    assert not is_stored(tmp_path, "one") and load_chunk(tmp_path, "one") is None
    store_chunk(tmp_path, "one", ROWS)
    found = load_chunk(tmp_path, "one")
    assert is_stored(tmp_path, "one") and found is not None
    assert_frame_equal(found, ROWS)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


def empty(file: Path) -> None:
    file.write_bytes(b"")


def lose_digest(file: Path) -> None:
    file.with_suffix(".sha256").unlink()


def cut_digest(file: Path) -> None:
    file.with_suffix(".sha256").write_text("ab")


def garble_digest(file: Path) -> None:
    file.with_suffix(".sha256").write_bytes(b"\xff" * 64)


@pytest.mark.parametrize(
    "harm", [cut, flip, empty, lose_digest, cut_digest, garble_digest, Path.unlink]
)
def test_a_damaged_chunk_does_not_count(tmp_path: Path, harm) -> None:
    store_chunk(tmp_path, "one", ROWS)
    harm(tmp_path / "one.parquet")
    assert not is_stored(tmp_path, "one") and load_chunk(tmp_path, "one") is None
    store_chunk(tmp_path, "one", ROWS)
    assert is_stored(tmp_path, "one")


@pytest.mark.parametrize("key", ["", "../x", "a/b", ".hidden", "x" * 300])
def test_bad_keys_are_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ParamError, match="file name"):
        store_chunk(tmp_path, key, ROWS)


def test_prune_keeps_what_is_named(tmp_path: Path) -> None:
    for key in "abcd":
        store_chunk(tmp_path, key, ROWS)
    (tmp_path / ".half.parquet.123.tmp").write_bytes(b"x")
    prune(tmp_path, {"a", "d"})
    assert {file.stem for file in tmp_path.iterdir()} == {"a", "d"}
    assert is_stored(tmp_path, "a") and is_stored(tmp_path, "d")
    prune(tmp_path / "missing", set())
