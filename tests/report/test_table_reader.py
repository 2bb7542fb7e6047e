"""The file handle that DuckDB's threads share."""

from __future__ import annotations

import os
import threading

import pytest

from mathse.report.table_reader import TableReader


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.bin"
    path.write_bytes(bytes(range(100)))
    with TableReader({"rows.bin": path}).open("rows.bin") as opened:
        yield opened


def test_each_thread_reads_where_it_wants(file) -> None:
    both_have_sought = threading.Barrier(2)
    found = {}

    def read(start: int) -> None:
        file.seek(start)
        both_have_sought.wait(timeout=60)
        found[start] = file.read(3)

    threads = [threading.Thread(target=read, args=[start]) for start in (10, 70)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {10: bytes([10, 11, 12]), 70: bytes([70, 71, 72])}


def test_it_is_read_like_any_file(file) -> None:
    assert file.read(2) == bytes([0, 1])
    assert file.tell() == 2
    assert file.seek(3, os.SEEK_CUR) == 5
    assert file.seek(-1, os.SEEK_END) == 99
    assert file.read(10) == bytes([99])
    assert file.read(10) == b""
    assert file.seekable() and file.readable() and not file.writable()
