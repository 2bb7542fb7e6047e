from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mathse.core.errors import DataError, ParamError
from mathse.core.tables import read_table, write_table


def sample(n: int = 300) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "key": [f"{(i * 7919) % n:05d}" for i in range(n)],
            "number": [i % 3 for i in range(n)],
            "real": [i / 7 if i % 5 else None for i in range(n)],
            "steps": [[str(i), "x"][: i % 3] for i in range(n)],
            "blob": [bytes([i % 256]) * 3 for i in range(n)],
            "text": [None] * n,
        },
        schema_overrides={"text": pl.String},
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    df = sample()
    write_table(df, tmp_path / "new" / "t.parquet", sort_by=["key"])
    assert_frame_equal(read_table(tmp_path / "new" / "t.parquet"), df.sort("key"))


def test_same_rows_give_same_bytes(tmp_path: Path) -> None:
    df = sample()
    chunked = pl.concat([df[200:], df[:50], df[50:200]], rechunk=False)
    assert chunked.n_chunks() == 3
    variants = [
        df,
        chunked,
        df.reverse(),
        df.sample(fraction=1, shuffle=True, seed=1),
        df.lazy().collect(),
    ]
    files = [tmp_path / f"{i}.parquet" for i in range(len(variants))]
    for variant, file in zip(variants, files, strict=True):
        write_table(variant, file, sort_by=["key"])
    assert len({file.read_bytes() for file in files}) == 1


def test_ties_in_the_sort_key_do_not_show(tmp_path: Path) -> None:
    df = sample()
    write_table(df, tmp_path / "a.parquet", sort_by=["number"])
    write_table(df.reverse(), tmp_path / "b.parquet", sort_by=["number"])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_number_of_threads_does_not_show(tmp_path: Path) -> None:
    code = (
        "import sys, polars as pl\nfrom mathse.core.tables import write_table\n"
        "n = 120_000\n"
        "df = pl.DataFrame({'key': [f'{(i * 7919) % n:06d}' for i in range(n)], 'v': range(n)})\n"
        "write_table(df, sys.argv[1], sort_by=['key'])\n"
    )
    for threads in ("1", "3"):
        env = {**os.environ, "POLARS_MAX_THREADS": threads}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / threads)], env=env, check=True)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "3").read_bytes()


def test_nothing_is_left_beside_the_table(tmp_path: Path) -> None:
    write_table(sample(), tmp_path / "t.parquet", sort_by=["key"])
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_a_failed_write_leaves_the_old_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "t.parquet"
    write_table(sample(), file, sort_by=["key"])
    before = file.read_bytes()

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DataError, match="disk full"):
        write_table(sample(5), file, sort_by=["key"])
    assert file.read_bytes() == before
    assert [left.name for left in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.parametrize("sort_by", [[], ["no_such"]])
def test_a_table_must_be_sorted_by_its_columns(tmp_path: Path, sort_by: list[str]) -> None:
    with pytest.raises(ParamError, match="cannot sort"):
        write_table(sample(), tmp_path / "t.parquet", sort_by=sort_by)


def test_shards_are_read_in_order_of_name(tmp_path: Path) -> None:
    for name, key in [("b", "2"), ("a", "1"), ("c", "3")]:
        write_table(pl.DataFrame({"key": [key]}), tmp_path / f"{name}.parquet", sort_by=["key"])
    assert read_table(tmp_path)["key"].to_list() == ["1", "2", "3"]


def test_shards_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    write_table(pl.DataFrame({"key": ["1"]}), tmp_path / "a.parquet", sort_by=["key"])
    write_table(pl.DataFrame({"key": [1]}), tmp_path / "b.parquet", sort_by=["key"])
    with pytest.raises(DataError, match="shards"):
        read_table(tmp_path)


def test_missing_and_damaged_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no such table(.|\n)*gone.parquet(.|\n)*fix: run the stage"
    ):
        read_table(tmp_path / "gone.parquet")
    with pytest.raises(DataError, match="has no .parquet"):
        read_table(tmp_path)
    write_table(sample(), tmp_path / "cut.parquet", sort_by=["key"])
    whole = (tmp_path / "cut.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"not readable(.|\n)*cut.parquet"):
        read_table(tmp_path / "cut.parquet")


def test_a_failed_write_says_which_file_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(DataError, match="cannot be written") as failure:
        write_table(pl.DataFrame({"a": [1]}), tmp_path / "file" / "a.parquet", sort_by=["a"])
    assert "free disk space" in str(failure.value)
    if Path("/dev/full").exists():
        full = tmp_path / "full"
        full.mkdir()
        (full / f".a.parquet.{os.getpid()}.tmp").symlink_to("/dev/full")
        with pytest.raises(DataError, match="No space left") as failure:
            write_table(pl.DataFrame({"a": [1]}), full / "a.parquet", sort_by=["a"])
        assert str(full / "a.parquet") in str(failure.value) and not list(full.iterdir())


def test_ties_are_broken_by_all_columns(tmp_path: Path) -> None:
    df = pl.DataFrame({"key": [1] * 6, "a": [1] * 6, "b": [3, 1, 2, 6, 5, 4]})
    write_table(df, tmp_path / "t.parquet", sort_by=["key"])
    assert read_table(tmp_path / "t.parquet")["b"].to_list() == [1, 2, 3, 4, 5, 6]


def test_many_shards_are_read_in_order_of_name(tmp_path: Path) -> None:
    names = [f"{index * 7 % 16:02d}" for index in range(16)]
    for name in names:
        write_table(pl.DataFrame({"key": [name]}), tmp_path / f"{name}.parquet", sort_by=["key"])
    assert read_table(tmp_path)["key"].to_list() == sorted(names)
