from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.journal import prune, run_in_chunks
from mathse.core.tables import write_table

SCHEMA = pl.Schema({"item": pl.Int64, "text": pl.String})


def rows(chunk: Sequence[int]) -> pl.DataFrame:
    return pl.DataFrame({"item": list(chunk), "text": [f"item {i}" for i in chunk]}, schema=SCHEMA)


class Work:
    """Counts its calls and may fail at one of them."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.chunks: list[list[int]] = []
        self.fail_at = fail_at

    def __call__(self, chunk: Sequence[int]) -> pl.DataFrame:
        if len(self.chunks) == self.fail_at:
            raise RuntimeError("engine died")
        self.chunks.append(list(chunk))
        return rows(chunk)


def run(
    work: Work, journal: Path, items: Sequence[int] = range(10), *, salt: str = ""
) -> pl.DataFrame:
    return run_in_chunks(
        items,
        work,
        chunk_size=3,
        key=lambda chunk: content_id(salt, list(chunk)),
        journal=journal,
        label="test",
        schema=SCHEMA,
    )


def test_rows_come_in_order_of_items(tmp_path: Path) -> None:
    work = Work()
    assert_frame_equal(run(work, tmp_path), rows(range(10)))
    assert work.chunks == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_finished_chunks_are_not_done_again(tmp_path: Path) -> None:
    run(Work(), tmp_path)
    again = Work()
    assert_frame_equal(run(again, tmp_path), rows(range(10)))
    assert again.chunks == []


def test_after_an_error_work_goes_on_from_the_failed_chunk(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="engine died"):
        run(Work(fail_at=2), tmp_path)
    again = Work()
    assert_frame_equal(run(again, tmp_path), rows(range(10)))
    assert again.chunks == [[6, 7, 8], [9]]


def test_another_key_shares_nothing(tmp_path: Path) -> None:
    run(Work(), tmp_path, salt="model a")
    other = Work()
    run(other, tmp_path, salt="model b")
    assert len(other.chunks) == 4


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
def test_a_damaged_chunk_is_done_again(tmp_path: Path, harm) -> None:
    run(Work(), tmp_path)
    harm(tmp_path / f"{content_id('', [3, 4, 5])}.parquet")
    again = Work()
    assert_frame_equal(run(again, tmp_path), rows(range(10)))
    assert again.chunks == [[3, 4, 5]]
    last = Work()
    run(last, tmp_path)
    assert last.chunks == []


CHILD = """
import os, signal, sys
from pathlib import Path
import polars as pl
from mathse.core.ids import content_id
from mathse.core.journal import run_in_chunks
from mathse.core.tables import write_table

folder, event, at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = {"work": 0, "rename": 0}

def count(name):
    seen[name] += 1
    if name == event and seen[name] == at:
        os.kill(os.getpid(), signal.SIGKILL)

def work(chunk):
    count("work")
    return pl.DataFrame({"item": list(chunk), "half": [i / 2 for i in chunk]})

def replace(self, target, plain=Path.replace):
    count("rename")
    return plain(self, target)

Path.replace = replace
key = lambda chunk: content_id(list(chunk))
df = run_in_chunks(range(60), work, chunk_size=5, key=key, journal=folder / "j", label="t")
write_table(df, folder / "out.parquet", sort_by=["item"])
(folder / "calls").write_text(str(seen["work"]))
"""


def test_sigkill_then_resume_gives_the_same_bytes(tmp_path: Path) -> None:
    def child(folder: str, event: str = "never", at: int = 0) -> int:
        (tmp_path / folder).mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path / folder), event, str(at)]
        ).returncode

    def finished() -> int:
        return len(list((tmp_path / "killed" / "j").glob("*.sha256")))

    assert child("calm") == 0
    kills = [
        ("work", 4, 3),  # while the fourth chunk is worked out
        ("rename", 1, 3),  # the fourth chunk is written but not in place
        ("rename", 4, 4),  # the fifth chunk is in place but its digest is not
        ("rename", 17, 12),  # all chunks are done, the table is not in place
    ]
    for event, at, chunks in kills:
        assert child("killed", event, at) == -signal.SIGKILL
        assert finished() == chunks
        assert not (tmp_path / "killed" / "out.parquet").exists()
        if chunks == 4:
            leftovers = list((tmp_path / "killed" / "j").glob("*.tmp"))
            assert leftovers, (
                "a kill before a rename leaves the temporary file, and resuming bears it"
            )
    assert child("killed") == 0
    assert (tmp_path / "killed" / "calls").read_text() == "0"
    assert (tmp_path / "killed" / "out.parquet").read_bytes() == (
        tmp_path / "calm" / "out.parquet"
    ).read_bytes()


def test_a_chunk_without_values_takes_the_types_of_the_others(tmp_path: Path) -> None:
    def work(chunk: Sequence[int]) -> pl.DataFrame:
        return pl.DataFrame(
            {"item": list(chunk), "note": [None if i < 3 else "late" for i in chunk]}
        )

    df = run_in_chunks(
        range(5), work, chunk_size=3, key=lambda c: f"k{c[0]}", journal=tmp_path, label="test"
    )
    assert df["note"].to_list() == [None, None, None, "late", "late"]


@pytest.mark.parametrize(
    "second",
    [{"item": ["x"]}, {"item": [1], "more": [1]}, {"other": [1]}, {"item": [None], "more": [None]}],
)
def test_chunks_of_different_columns_are_refused(
    tmp_path: Path, second: dict[str, list[object]]
) -> None:
    def work(chunk: Sequence[int]) -> pl.DataFrame:
        return pl.DataFrame({"item": [0]} if chunk[0] == 0 else second)

    with pytest.raises(DataError, match="different columns"):
        run_in_chunks(
            range(2), work, chunk_size=1, key=lambda c: f"k{c[0]}", journal=tmp_path, label="test"
        )


def test_no_items_give_the_schema_and_no_work(tmp_path: Path) -> None:
    work = Work()
    df = run(work, tmp_path, [])
    assert df.schema == SCHEMA and df.height == 0 and work.chunks == []


def test_bad_sizes_and_keys_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="chunk_size"):
        run_in_chunks([1], rows, chunk_size=0, key=str, journal=tmp_path, label="test")
    for key in ("", "../x", "a/b", ".hidden", "x" * 300):
        with pytest.raises(ParamError, match="file name"):
            run_in_chunks(
                [1], rows, chunk_size=1, key=lambda c, key=key: key, journal=tmp_path, label="test"
            )


def test_prune_keeps_what_it_is_told(tmp_path: Path) -> None:
    run(Work(), tmp_path)
    (tmp_path / ".half.parquet.123.tmp").write_bytes(b"x")
    keep = {content_id("", [0, 1, 2]), content_id("", [9])}
    assert prune(tmp_path, keep) == 2
    assert {file.stem for file in tmp_path.iterdir()} == keep
    again = Work()
    run(again, tmp_path)
    assert again.chunks == [[3, 4, 5], [6, 7, 8]]
    assert prune(tmp_path / "missing", set()) == 0


def test_the_result_is_written_as_if_never_interrupted(tmp_path: Path) -> None:
    write_table(run(Work(), tmp_path / "j"), tmp_path / "a.parquet", sort_by=["item"])
    with pytest.raises(RuntimeError):
        run(Work(fail_at=1), tmp_path / "k")
    write_table(run(Work(), tmp_path / "k"), tmp_path / "b.parquet", sort_by=["item"])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
