"""What every import does: bad files, counts that add up, resume after a kill, the same bytes."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import folder_digest
from mathse.core.images import image_shards, write_images, write_shards
from mathse.core.progress import Progress
from mathse.datasets.file_readers import count_rows, read_rows
from mathse.datasets.image_files import array_to_png, describe_image
from mathse.datasets.importing import CHUNK_TABLES, import_source
from mathse.datasets.protocol import Adapt, BadRow, DataFile, RawProblem, Source
from mathse.datasets.raw_problems import Entry, read_entries
from tests.datasets.made import bring, parquet, picture, put

ROOT = Path(__file__).resolve().parents[2]


def row(image: str, number: int = 0) -> dict[str, Any]:
    return {
        "id": str(number),
        "question": f"{number}: how many? <image1>",
        "answer": "3",
        "options": [],
        "image": image,
    }


def bomb() -> bytes:
    """A PNG of 60,000 x 60,000 pixels in a few bytes."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b""))
    out = b"\x89PNG\r\n\x1a\n"
    for name, body in chunks:
        out += (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )
    return out


def test_bad_images_are_quarantined_with_their_reasons(tmp_path: Path) -> None:
    root = tmp_path / "d" / "mv"
    put(tmp_path / "d" / "outside.png", picture(1))
    put(root / "images" / "good.png", picture(2))
    put(root / "images" / "cut.jpg", picture(3, "JPEG", (300, 300))[:900])
    put(root / "images" / "text.png", "not an image")
    put(root / "images" / "empty.png", b"")
    put(root / "images" / "bomb.png", bomb())
    put(root / "images" / "drawing.tiff", picture(4, "TIFF"))
    (root / "images" / "link.png").symlink_to(tmp_path / "d" / "outside.png")
    (root / "images" / "loop.png").symlink_to("loop.png")
    cases = {
        "images/good.png": None,
        "images/missing.png": "image is there",
        "images": "image is there",
        "../outside.png": "image stays inside the data set",
        str(tmp_path / "d" / "outside.png"): "image stays inside the data set",
        "images/link.png": "image stays inside the data set",
        "images/loop.png": "image is a local file",
        "https://example.org/a.png": "image is a local file",
        "images/zero\0.png": "image is a local file",
        "images/" + "x" * 300: "image is a local file",
        "images/cut.jpg": "image decodes",
        "images/text.png": "image decodes",
        "images/empty.png": "image decodes",
        "images/drawing.tiff": "image decodes",
        "images/bomb.png": "image has at most 40000000 pixels",
        "images\\good.png": None,
    }
    put(root / "test.jsonl", [row(name, number) for number, name in enumerate(cases)])
    found = bring("math-vision", root, tmp_path)
    rules = dict(found.quarantined.select("row", "rule").iter_rows())
    assert {name: rules.get(number) for number, name in enumerate(cases)} == cases
    assert set(found.quarantined["field"]) == {"image"} and set(found.quarantined["file"]) == {
        "test.jsonl"
    }
    assert found.images.height == 1 and "object at 0x" not in "".join(found.quarantined["reason"])


def test_images_may_lie_in_a_further_folder(tmp_path: Path) -> None:
    put(tmp_path / "d" / "test.jsonl", [row(str(tmp_path / "far" / "a.png"))])
    put(tmp_path / "far" / "a.png", picture(1))
    assert bring("math-vision", tmp_path / "d", tmp_path).counts["quarantined"] == 1
    assert (
        bring("math-vision", tmp_path / "d", tmp_path, images=tmp_path / "far").counts["problems"]
        == 1
    )


def test_the_further_folder_is_searched_for_the_names_of_the_rows(tmp_path: Path) -> None:
    names = ("a.png", "sub/b.png", "../c.png")
    rows = [{"question": f"{name}?", "answer": "1", "image": name} for name in names]
    put(tmp_path / "rows" / "train.jsonl", rows)
    for number, name in enumerate(names):
        put(tmp_path / "pics" / name, picture(number))
    found = bring("jsonl", tmp_path / "rows" / "train.jsonl", tmp_path, images=tmp_path / "pics")
    assert found.images["bytes"].sort().to_list() == sorted(map(picture, range(2)))
    assert found.quarantined["rule"].to_list() == ["image stays inside the data set"]


def test_a_further_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "rows" / "train.jsonl", [{"question": "a?", "answer": "1"}])
    with pytest.raises(ParamError, match=r"--images names no folder: .*pcis"):
        bring("jsonl", tmp_path / "rows", tmp_path, images=tmp_path / "pcis")


def test_the_split_of_a_row_counts_before_that_of_its_file(tmp_path: Path) -> None:
    given = ("train", "test", None)
    rows = [{"question": f"{split}?", "answer": "1", "split": split} for split in given]
    put(tmp_path / "s" / "geo_train_test.jsonl", [*rows, {"question": "bad?", "split": "test"}])
    found = bring("jsonl", tmp_path / "s", tmp_path)
    splits = dict(found.problems.select("question", "split").iter_rows())
    assert splits == {"train?": "train", "test?": "test", "None?": "train"}
    only = bring("jsonl", tmp_path / "s", tmp_path / "only", splits=["test"])
    assert only.counts["splits"] == {"test": 1} and only.counts["quarantined"] == 1


def test_broken_lines_and_wrong_encodings(tmp_path: Path) -> None:
    good = json.dumps({"question": "Größe?", "answer": "3"}, ensure_ascii=False)
    lines = [
        b"\xef\xbb\xbf" + good.encode(),
        b"{",
        b"",
        good.replace("3", "4").encode("latin-1"),
        b"[1]",
        b'{"question": "\\ud800", "answer": "1"}',
    ]
    put(tmp_path / "s" / "train.jsonl", b"\n".join([*lines, good.replace("3", "5").encode()]))
    found = bring("ms-swift", tmp_path / "s", tmp_path)
    assert found.problems["answer"].sort().to_list() == ["3", "5"]
    rules = dict(found.quarantined.select("row", "rule").iter_rows())
    assert rules == {
        1: "line is JSON",
        2: "text is UTF-8",
        3: "row is an object",
        4: "text is UTF-8",
    }
    assert "\\udcf6" in found.quarantined.filter(pl.col("row") == 2)["value"].item()


def test_json_files_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathse.datasets.file_readers.BLOCK_CHARS", 7)
    rows = [{"a": number, "text": "äöü]}" * number, "n": [1, {"x": '\\"'}]} for number in range(20)]
    listed = DataFile(put(tmp_path / "list.json", rows))
    assert list(read_rows(listed)) == rows and count_rows(listed) == 20
    keyed = DataFile(put(tmp_path / "keyed.json", {f"k{at}": one for at, one in enumerate(rows)}))
    assert list(read_rows(keyed)) == [{"_key": f"k{at}", **one} for at, one in enumerate(rows)]
    numbers = DataFile(put(tmp_path / "numbers.json", "[12345678901, 23456789012345]"))
    assert [bad.value for bad in read_rows(numbers) if isinstance(bad, BadRow)] == [
        12345678901,
        23456789012345,
    ]
    for text, count in (
        ("[]", 0),
        ('[{"a": 1}, {"a": ', 2),
        ("[{}, oh", 2),
        ("3", 1),
        ("", 1),
        ('{"k" 1}', 1),
    ):
        broken = DataFile(put(tmp_path / "broken.json", text))
        found = list(read_rows(broken))
        assert len(found) == count_rows(broken) == count
        assert not count or isinstance(found[-1], BadRow)


ROWS = [{"question": f"{number}?", "answer": str(number)} for number in range(3)]
ARRAY, LINES = json.dumps(ROWS), "\n".join(json.dumps(one) for one in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "two arrays": ("a.json", json.dumps(ROWS[:1]) + json.dumps(ROWS[1:])),
        "arrays with a comma": ("a.json", json.dumps(ROWS[:2]) + ",\n" + json.dumps(ROWS[2:])),
        "JSON lines": ("a.json", LINES),
        "JSON lines that begin with an object": (
            "a.json",
            "\n".join(json.dumps({"meta": {"a": 1}} | one) for one in ROWS),
        ),
        "a list under a name": ("a.json", json.dumps({"version": "1", "data": ROWS})),
        "by key": ("a.json", json.dumps({str(at): one for at, one in enumerate(ROWS)})),
        "UTF-16": ("a.json", ARRAY.encode("utf-16")),
        "UTF-16 lines": ("a.jsonl", LINES.encode("utf-16")),
        "BOM": ("a.jsonl", LINES.encode("utf-8-sig")),
        "capital letters": ("a.JSONL", LINES),
        "CRLF": ("a.jsonl", LINES.replace("\n", "\r\n")),
    }.values(),
)
def test_no_row_is_lost(tmp_path: Path, name: str, content: str | bytes) -> None:
    put(tmp_path / "l" / name, content)
    found = bring("llava", tmp_path / "l", tmp_path)
    assert found.counts["rows"] == found.counts["problems"] == len(ROWS)
    file = DataFile(tmp_path / "l" / name)
    assert count_rows(file) == len(list(read_rows(file))) == len(ROWS)


@pytest.mark.parametrize(
    ("content", "kept", "reason"),
    [
        (ARRAY + " oh", 3, "neither an array nor an object"),
        (ARRAY[:-10], 2, "nothing after it was read"),
        ('{"k1": {"question": "1?", "answer": "1"}, "k2": {"que', 1, "nothing after it was read"),
        ("", 0, "empty"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, content: str, kept: int, reason: str) -> None:
    put(tmp_path / "l" / "a.json", content)
    found = bring("llava", tmp_path / "l", tmp_path)
    assert found.counts["problems"] == kept
    assert reason in found.quarantined["reason"].item()


@pytest.mark.parametrize(
    ("name", "content", "rule", "value"),
    [
        ("a.json", {"data": ROWS[:2], "rows": ROWS[2:]}, "a file has one list of rows", "2?"),
        ("a.jsonl", LINES + '\n{"question": "?", "answer": "1", "answer": "2"}', "", "['1', '2']"),
        ("a.json", ARRAY[:-1] + ', {"question": "?", "answer": "1", "answer": "2"}]', "", "'2']"),
        ("a.json", '{"question": "?", "answer": "1", "answer": "2"}', "", "['1', '2']"),
        ("a.json", '{"data": [{"answer": "1", "answer": "2"}]}', "", "['1', '2']"),
        ("a.json", '{"data": [], "data": [{"answer": "1"}]}', "", "'answer': '1'"),
        ("a.jsonl", '{"messages": [{"role": "user", "role": "assistant"}]}', "", "'user', 'ass"),
    ],
)
def test_of_two_values_none_is_lost(
    tmp_path: Path, name: str, content: object, rule: str, value: str
) -> None:
    put(tmp_path / "l" / name, content)
    found = bring("llava", tmp_path / "l", tmp_path)
    assert found.quarantined["rule"].to_list() == [rule or "a name occurs once"]
    assert value in found.quarantined["value"].item()
    assert found.counts["rows"] == found.counts["problems"] + 1


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "l" / "a.csv", "question,answer,answer\n?,1,2\n")
    with pytest.raises(DataError, match=r"columns are called answer[\s\S]*a name of its own"):
        bring("jsonl", tmp_path / "l", tmp_path)
    put(tmp_path / "l" / "a.csv", "question,answer,,\n?,1,,\n")
    assert bring("jsonl", tmp_path / "l", tmp_path).counts["problems"] == 1


def test_a_value_that_is_too_long_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathse.datasets.file_readers.MAX_ROW_CHARS", 20)
    monkeypatch.setattr("mathse.datasets.file_readers.BLOCK_CHARS", 7)
    put(tmp_path / "l" / "a.json", json.dumps({"data": ROWS * 9}))
    found = bring("llava", tmp_path / "l", tmp_path)
    assert "write the rows as JSON lines" in found.quarantined["reason"].item()


def test_a_snapshot_of_the_hub_is_read_through_its_links(tmp_path: Path) -> None:
    cache = tmp_path / "datasets--team--figures"
    blobs = {
        "aa": picture(1),
        "bb": LINES.replace('"0?"', '"0?", "image": "images/p.png"').encode(),
    }
    for name, data in blobs.items():
        put(cache / "blobs" / name, data)
    put(cache / "refs" / "main", "0123abcd")
    snapshot = cache / "snapshots" / "0123abcd"
    (snapshot / "images").mkdir(parents=True)
    (snapshot / "images" / "p.png").symlink_to("../../../blobs/aa")
    (snapshot / "train.jsonl").symlink_to("../../blobs/bb")
    for number, path in enumerate((snapshot, cache)):
        found = bring("llava", path, tmp_path / str(number))
        assert (found.counts["problems"], found.counts["images"]) == (3, 1)
    put(tmp_path / "secret.png", picture(2))
    (snapshot / "images" / "p.png").unlink()
    (snapshot / "images" / "p.png").symlink_to(tmp_path / "secret.png")
    found = bring("llava", snapshot, tmp_path / "bad")
    assert found.quarantined["rule"].to_list() == ["image stays inside the data set"]


@pytest.mark.parametrize(
    "path", ["AI4Math/MathVista", "https://huggingface.co/datasets/AI4Math/MathVista"]
)
def test_an_id_of_the_hub_says_how_to_download_it(tmp_path: Path, path: str) -> None:
    for given in (path, Path(path)):
        with pytest.raises(DataError, match="hf download AI4Math/MathVista --repo-type dataset"):
            import_source("hf-folder", given, tmp_path / "o")
    with pytest.raises(DataError, match="that was downloaded"):
        import_source("hf-folder", tmp_path / "none" / "here", tmp_path / "o")
    put(tmp_path / "d" / "rows.csv", "a,b")
    with pytest.raises(DataError, match="there are rows.csv"):
        import_source("hf-folder", tmp_path / "d", tmp_path / "o")


@pytest.mark.parametrize(
    ("named", "stored"),
    [
        ("fig%201.png", "fig 1.png"),
        ("100%.png", "100%.png"),
        ("cafe\u0301.png", "caf\u00e9.png"),
        ("caf\u00e9.png", "cafe\u0301.png"),
        ("caf%C3%A9.png", "cafe\u0301.png"),
        ("file://p.png", "p.png"),
    ],
)
def test_spellings_of_a_file_name(tmp_path: Path, named: str, stored: str) -> None:
    put(tmp_path / "l" / "a.jsonl", [{"question": "?", "answer": "1", "image": named}])
    put(tmp_path / "l" / stored, picture(1))
    assert bring("llava", tmp_path / "l", tmp_path).counts["images"] == 1


def test_contradicting_golds_are_noted(tmp_path: Path) -> None:
    asked = [("How long?", "7"), ("How long?", "7.0"), ("How long?", "8"), ("How wide?", "8")]
    rows = [{"question": one, "answer": gold, "image": "p.png"} for one, gold in asked]
    put(tmp_path / "l" / "a.jsonl", [*rows, {"question": "How long?", "answer": "9"}])
    put(tmp_path / "l" / "p.png", picture(1))
    found = bring("llava", tmp_path / "l", tmp_path)
    notes = {
        (row["question"], row["answer"], len(row["image_ids"])): row["meta"].get("contradicts")
        for row in found.rows()
    }
    assert notes == {
        ("How long?", "7", 1): ["8"],
        ("How long?", "7.0", 1): ["8"],
        ("How long?", "8", 1): ["7", "7.0"],
        ("How wide?", "8", 1): None,
        ("How long?", "9", 0): None,
    }
    assert found.counts["contradicting"] == 3


def test_each_of_several_contradicting_golds_names_all_others(tmp_path: Path) -> None:
    rows = [{"question": "How many?", "answer": gold} for gold in ("5", "6", "5.0", "7")]
    put(tmp_path / "s" / "train.jsonl", rows)
    found = bring("jsonl", tmp_path / "s", tmp_path)
    notes = {row["answer"]: row["meta"]["contradicts"] for row in found.rows()}
    assert notes == {"5": ["6", "7"], "5.0": ["6", "7"], "6": ["5", "5.0", "7"]} | {
        "7": ["5", "5.0", "6"]
    }
    rows = [{"question": "How many?", "answer": str(number)} for number in range(30)]
    put(tmp_path / "s" / "train.jsonl", rows)
    found = bring("jsonl", tmp_path / "s", tmp_path)
    notes = {row["answer"]: row["meta"]["contradicts"] for row in found.rows()}
    assert {len(note) for note in notes.values()} == {21} and notes["7"][-1] == "and 9 others"
    assert found.counts["contradicting"] == 30


def test_problems_that_differ_in_unit_alone_are_both_kept(tmp_path: Path) -> None:
    asked = {"question": "How long?", "answer": "5"}
    units = ({"unit": "cm"}, {"unit": "m"}, {"unit": "cm"})
    put(tmp_path / "s" / "train.jsonl", [asked | unit for unit in units])
    found = bring("jsonl", tmp_path / "s", tmp_path)
    assert found.counts["problems"] == 2 and found.counts["duplicates"] == 1
    notes = {row["unit"]: row["meta"].get("contradicts") for row in found.rows()}
    assert notes["cm"] == ["5 m"] and notes["m"] == ["5 cm"]
    put(tmp_path / "s" / "train.jsonl", [asked | units[0]])
    alone = bring("jsonl", tmp_path / "s", tmp_path / "alone").row()["problem_id"]
    assert alone == found.problems.filter(unit="cm")["problem_id"].item(), "the first keeps its id"


def test_problems_that_differ_in_precision_alone_are_both_kept(tmp_path: Path) -> None:
    asked = {"question": "How long?", "answer": "3.1", "answer_type": "float"}
    rows = [asked | {"pid": str(digits), "precision": float(digits)} for digits in (1, 2)]
    free = {"question_type": "free_form", "unit": None, "choices": None}
    parquet(tmp_path / "v" / "data" / "testmini-0.parquet", [{**one, **free} for one in rows])
    found = bring("mathvista", tmp_path / "v", tmp_path)
    assert sorted(found.problems["precision"]) == [1, 2], found.quarantined


def test_limits_splits_and_what_is_not_there(tmp_path: Path) -> None:
    for split in ("train", "test"):
        rows = [{"question": f"{split} {at}?", "answer": str(at)} for at in range(5)]
        put(tmp_path / "s" / f"{split}.jsonl", [*rows, {"question": split}])
    assert bring("ms-swift", tmp_path / "s", tmp_path).counts["rows"] == 12
    found = bring("ms-swift", tmp_path / "s", tmp_path, splits=["train"])
    assert found.counts["splits"] == {"train": 5} and found.counts["quarantined"] == 1
    assert bring("ms-swift", tmp_path / "s", tmp_path, limit=3).counts["rows"] == 3
    with pytest.raises(ParamError, match="no rows of the splits"):
        import_source("ms-swift", tmp_path / "s", tmp_path / "o", splits=["dev"])
    with pytest.raises(ParamError, match="at least 1"):
        import_source("ms-swift", tmp_path / "s", tmp_path / "o", limit=0)
    with pytest.raises(ParamError, match="no source"):
        import_source("nothing", tmp_path / "s", tmp_path / "o")
    with pytest.raises(DataError, match="Nothing of"):
        import_source("tabmwp", tmp_path / "s", tmp_path / "o")


def test_the_same_problem_counts_once_and_loses_nothing(tmp_path: Path) -> None:
    one = {"question": "2+2?", "answer": "4", "id": "a", "solution": "It is 4."}
    put(
        tmp_path / "s" / "train.jsonl",
        [one, {**one, "id": "b", "solution": "Count: 3, 4."}, {**one, "answer": "5"}],
    )
    found = bring("ms-swift", tmp_path / "s", tmp_path)
    assert found.counts["duplicates"] == 1
    first = next(row for row in found.rows() if row["answer"] == "4")
    assert first["solution"] == "It is 4."
    assert first["meta"]["also"] == [
        {"split": "train", "solution": "Count: 3, 4.", "meta": {"id": "b"}}
    ]


def test_the_same_problem_stays_in_each_of_its_splits(tmp_path: Path) -> None:
    for split, solution in (("train", "It is 4."), ("validation", "Count.")):
        one = {"question": "2+2?", "answer": "4", "solution": solution}
        put(tmp_path / "s" / f"{split}.jsonl", [one, one])
    found = bring("jsonl", tmp_path / "s", tmp_path)
    assert found.counts["splits"] == {"train": 1, "validation": 1}
    assert found.problems["solution"].sort().to_list() == ["Count.", "It is 4."]
    assert found.counts["duplicates"] == 2 and found.counts["contradicting"] == 0
    assert all(len(row["meta"]["also"]) == 1 for row in found.rows())


def many(root: Path, count: int) -> Path:
    """Rows in MATH-Vision's layout; every third picture is used twice, every seventh row is bad."""
    rows = []
    for number in range(count):
        name = f"images/{number - number % 3 // 2}.png"
        rows.append(row("images/none.png" if number % 7 == 3 else name, number))
        put(root / "images" / f"{number}.png", picture(number))
    put(root / "test.jsonl", rows)
    return root


def test_two_imports_have_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathse.datasets.raw_problems.ROWS_PER_CHUNK", 9)
    root = many(tmp_path / "mv", 60)
    bring("math-vision", root, tmp_path / "a")
    monkeypatch.setattr("mathse.datasets.raw_problems.ROWS_PER_CHUNK", 500)
    found = bring("math-vision", root, tmp_path / "b")
    assert folder_digest(tmp_path / "a" / "out") == folder_digest(tmp_path / "b" / "out")
    assert found.counts["quarantined"] == 9 and found.images.height < found.problems.height


def test_an_import_that_was_killed_goes_on(tmp_path: Path) -> None:
    root = many(tmp_path / "mv", 80)
    bring("math-vision", root, tmp_path / "whole")
    code = (
        "import sys, time; from mathse.datasets import importing, raw_problems\n"
        "raw_problems.ROWS_PER_CHUNK = 10\n"
        "work = importing._work\n"
        "def slow(*arguments):\n"
        "    time.sleep(0.05); print('chunk', flush=True); return work(*arguments)\n"
        "importing._work = slow\n"
        "importing.import_source('math-vision', sys.argv[1], sys.argv[2])\n"
    )
    out = tmp_path / "killed" / "out" / "math-vision"
    command = [sys.executable, "-c", code, str(root), str(out)]
    worked = []
    for stop_after in (3, 3, None):
        run = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert run.stdout is not None
        seen = 0
        for _ in run.stdout:
            seen += 1
            if seen == stop_after:
                os.kill(run.pid, signal.SIGKILL)
                break
        run.wait(timeout=60)
        run.stdout.close()
        worked.append(seen)
        assert (out / "import.json").exists() == (stop_after is None)
    assert worked[0] == worked[1] == 3 and 2 <= worked[2] <= 4, (
        "at least two chunks of each killed run stay"
    )
    assert folder_digest(out) == folder_digest(tmp_path / "whole" / "out" / "math-vision")


def test_a_changed_image_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = many(tmp_path / "mv", 6)
    out = tmp_path / "out" / "math-vision"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mathse.datasets.importing._write_tables", stop)
        with pytest.raises(KeyboardInterrupt):
            import_source("math-vision", root, out)
    put(root / "images" / "0.png", picture(99))
    os.utime(root / "images" / "0.png", ns=(time.time_ns(), time.time_ns() + 10**9))
    found = bring("math-vision", root, tmp_path)
    assert picture(99) in found.images["bytes"].to_list()


def test_shards_equal_those_of_write_images(tmp_path: Path) -> None:
    rows = [describe_image(picture(number), "x") for number in range(23)]
    frame = pl.DataFrame(rows, schema=CHUNK_TABLES["images"])
    files = [tmp_path / f"{number}.parquet" for number in range(3)]
    for file, (start, length) in zip(files, ((0, 9), (5, 9), (12, 11)), strict=True):
        frame.slice(start, length).sort("image_id").write_parquet(file, row_group_size=2)
    wanted = frame["image_id"].sort().head(20)
    only = frame.filter(pl.col("image_id").is_in(wanted.implode()))
    write_images(only, tmp_path / "all", rows_per_shard=6)
    put(tmp_path / "parts" / "images-00009.parquet", b"old")
    images = pl.scan_parquet(files, glob=False)
    write_shards(image_shards(images, wanted, rows_per_shard=6), tmp_path / "parts")
    assert folder_digest(tmp_path / "parts") == folder_digest(tmp_path / "all")
    (none,) = image_shards(images, wanted.clear())
    assert none.schema == frame.schema


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (300, 400, 3), (7, 5, 1)])
def test_arrays_become_png(shape: tuple[int, ...]) -> None:
    import numpy as np

    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    read = np.asarray(Image.open(io.BytesIO(array_to_png(array))))
    assert (read == array.reshape(read.shape)).all()
    assert array_to_png(array / 255.0) == array_to_png(array), "floats from 0 to 1 are scaled"
    assert array_to_png(array.astype(np.float64)) == array_to_png(array)


def nested(tmp_path: Path, adapt: Adapt) -> list[Entry]:
    put(tmp_path / "all.json", {"items": ["1", "", "3"]})
    file = DataFile(tmp_path / "all.json", "test", is_one_row=True)
    source = Source("nested", "Nested", "a file", "nowhere", lambda _: [file], adapt)
    with Progress(total=1, label="nested", unit="rows") as progress:
        return list(read_entries(source, [file], [tmp_path], None, progress))


def test_a_bad_item_of_a_file_loses_no_other(tmp_path: Path) -> None:
    def adapt(row: dict[str, Any], _: DataFile) -> list[RawProblem | BadRow]:
        bad = BadRow("answer is not empty", "answer", "", "no answer")
        return [RawProblem(f"{one}?", one) if one else bad for one in row["items"]]

    found = [entry.problem for entry in nested(tmp_path, adapt)]
    assert [type(one) for one in found] == [RawProblem, BadRow, RawProblem]
    assert [one.split for one in found if isinstance(one, RawProblem)] == ["test", "test"]


def test_a_reader_that_fails_names_source_file_and_row(tmp_path: Path) -> None:
    def adapt(row: dict[str, Any], _: DataFile) -> RawProblem:
        return RawProblem(row["question"], "1")

    with pytest.raises(DataError, match="reader of nested fails at this row: KeyError") as error:
        nested(tmp_path, adapt)
    assert (error.value.file, error.value.row) == (str(tmp_path / "all.json"), 0)
    assert isinstance(error.value.__cause__, KeyError)


def test_files_that_are_no_import_are_not_written_over(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"question": "3 + 4?", "answer": "7"}\n')
    other, new = tmp_path / "problems", tmp_path / "new"
    other.mkdir()
    (other / "problems.parquet").write_bytes(b"a run's")
    with pytest.raises(ParamError, match=r"holds other files, and no import.*\n.*new folder"):
        import_source("jsonl", rows, other)
    assert (other / "problems.parquet").read_bytes() == b"a run's"
    with pytest.raises(ParamError, match=r"rows\.jsonl is .*\n.*fix"):
        import_source("jsonl", rows, rows)
    (tmp_path / "params.yaml").touch()
    with pytest.raises(ParamError, match=r"params\.yaml is a file"):
        import_source("jsonl", rows, tmp_path / "params.yaml")
    assert not [*tmp_path.glob(".*.import")]
    # A folder that is empty, or that of an import, if only begun, is taken.
    (tmp_path / ".problems.import").mkdir()
    assert import_source("jsonl", rows, other)["problems"] == 1
    new.mkdir()
    for _ in range(2):
        assert import_source("jsonl", rows, new)["problems"] == 1
    with pytest.raises(ParamError, match=r"no rows of the splits \['dev'\][^#]*without --split"):
        import_source("jsonl", rows, new, splits=["dev"])


def test_column_names_count_in_any_case(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('Problem , Options,ANSWER\n3 + 4?,"[""6"", ""7""]",B\n')
    assert import_source("jsonl", rows, tmp_path / "new")["problems"] == 1
    row = pl.read_parquet(tmp_path / "new" / "problems.parquet").row(0, named=True)
    assert (row["question"], row["choices"], row["answer"]) == ("3 + 4?", ["6", "7"], "B")
