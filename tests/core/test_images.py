from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.images import ROWS_PER_BLOCK, ImageStore, write_images
from mathse.core.tables import read_table


def pictures(n: int) -> pl.DataFrame:
    data = [f"picture {i} ".encode() * 20 for i in range(n)]
    return pl.DataFrame(
        {"image_id": [hashlib.sha256(item).hexdigest() for item in data], "bytes": data}
    )


def test_every_image_comes_back(tmp_path: Path) -> None:
    df = pictures(150)
    write_images(df, tmp_path, rows_per_shard=70)
    assert len(list(tmp_path.glob("*.parquet"))) == 3
    store = ImageStore(tmp_path)
    assert len(store) == 150 and read_table(tmp_path)["image_id"].to_list() == sorted(
        df["image_id"]
    )
    for image_id, data in df.iter_rows():
        assert store.get(image_id) == data


def test_a_store_of_several_folders_has_the_images_of_all_in_other_processes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    df = pictures(9)
    write_images(df.head(4), tmp_path / "a")
    write_images(df.tail(5), tmp_path / "b")
    monkeypatch.chdir(tmp_path)
    store = ImageStore("a", more=[Path("b")])
    sent = pickle.dumps(store)
    monkeypatch.chdir("a")  # as a worker that was started elsewhere
    one = pickle.loads(sent)
    assert len(one) == len(store) == 9
    assert [one.get(image_id) for image_id in df["image_id"]] == df["bytes"].to_list()


def test_memory_stays_bounded(tmp_path: Path) -> None:
    df = pictures(5 * ROWS_PER_BLOCK)
    write_images(df, tmp_path, rows_per_shard=2 * ROWS_PER_BLOCK)
    block_bytes = ROWS_PER_BLOCK * len(df["bytes"][-1])
    store = ImageStore(tmp_path, cache_bytes=2 * block_bytes)
    most = 0
    for _ in range(2):
        for image_id, data in df.iter_rows():
            assert store.get(image_id) == data
            size = sum(len(data) for block in store._blocks.values() for data in block.values())
            assert size == store._cached_bytes
            most = max(most, size)
    assert 0 < most <= 2 * block_bytes


def test_an_unknown_image_is_named(tmp_path: Path) -> None:
    write_images(pictures(3), tmp_path)
    with pytest.raises(DataError, match=r"no image feed(.|\n)*image id is known"):
        ImageStore(tmp_path).get("feed")


def test_repeated_images_are_kept_once_and_bytes_do_not_depend_on_order(tmp_path: Path) -> None:
    df = pictures(30)
    write_images(df, tmp_path / "a", rows_per_shard=20)
    write_images(pl.concat([df.reverse(), df]), tmp_path / "b", rows_per_shard=20)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
    assert read_table(tmp_path / "b").height == 30


def test_shards_of_an_earlier_run_go(tmp_path: Path) -> None:
    write_images(pictures(30), tmp_path, rows_per_shard=10)
    write_images(pictures(5), tmp_path, rows_per_shard=10)
    assert len(ImageStore(tmp_path)) == 5


def test_no_images_make_an_empty_store(tmp_path: Path) -> None:
    write_images(pictures(0), tmp_path)
    assert len(ImageStore(tmp_path)) == 0
    assert read_table(tmp_path).columns == ["image_id", "bytes"]


def test_a_folder_may_have_a_pattern_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "a[1]"
    write_images(pictures(3), folder)
    store = ImageStore(folder)
    assert len(store) == 3
    for image_id in pictures(3)["image_id"]:
        assert store.get(image_id)


def test_damage_is_named(tmp_path: Path) -> None:
    (tmp_path / "images-00000.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="not readable as Parquet"):
        ImageStore(tmp_path)
