from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.images import ImageStore
from mathse.engines.inputs import InputBuilder
from mathse.training import row_file
from mathse.training.examples import EMPTY_TARGET, TOO_LONG, Example, Row, make_row
from mathse.training.row_file import RowFile, write_rows
from tests.tiny import ask

Make = Callable[..., RowFile]


@pytest.fixture(scope="module")
def builder(tiny: Path, store: ImageStore) -> InputBuilder:
    return InputBuilder.load(tiny, store)


@pytest.fixture
def make(tmp_path: Path, builder: InputBuilder) -> Make:
    def call(examples: Iterable[Example], max_tokens: int = 500) -> RowFile:
        write_rows(tmp_path / "rows", examples, builder, max_tokens=max_tokens)
        return RowFile(tmp_path / "rows")

    return call


def example(key: str, target: str, *, image: str = "img0", question: str = "How many?") -> Example:
    return Example(key, ask(question, 1), (image,), target)


def test_rows_count_prompt_image_and_target(make: Make, builder: InputBuilder) -> None:
    rows = make([example("a", "There are 2.")])
    [row] = rows
    assert rows.dropped == {} and rows.examples == 1 and rows.sizes == [row.size]
    assert row.prompt_tokens == builder.features(row.text, row.image_ids)["input_ids"].shape[1]
    assert builder.tokenizer.decode(list(row.target_ids)) == "There are 2.<end_of_utterance>"
    assert row.tokens == row.prompt_tokens + len(row.target_ids)


def test_any_row_is_read_at_once(make: Make) -> None:
    rows = make([example(str(n), f"There are {n}, é.") for n in range(20)])
    assert [row.key for row in rows] == [str(n) for n in range(20)]
    assert rows[7].key == "7" and [row.key for row in rows[3:5]] == ["3", "4"]
    assert [row.size for row in rows] == rows.sizes
    with pytest.raises(IndexError):
        rows[20]


def test_too_long_and_empty_rows_are_left_out_whole_and_named(make: Make) -> None:
    short = example("short", "2")
    [row] = make([short])
    given = [
        short,
        example("long target", "2 " * 300),
        example("empty", " \n"),
        example("long prompt", "2", question="w " * 300),
    ]
    rows = make(given, max_tokens=row.tokens)
    assert list(rows) == [row]  # exactly at the limit: kept, and not cut
    assert rows.dropped == {TOO_LONG: ["long target", "long prompt"], EMPTY_TARGET: ["empty"]}


def test_an_empty_training_set_says_why(make: Make) -> None:
    with pytest.raises(DataError, match="of 2 rows, 1 over max_tokens, 1 empty target") as error:
        make([example("a", "2"), example("b", "")], max_tokens=3)
    assert "raise max_tokens" in str(error.value)
    with pytest.raises(DataError, match="none were given"):
        make([])


def test_bad_images_are_left_out_and_counted(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    given = [example("a", "2"), example("b", "2", image="noise"), example("c", "2", image="no")]
    rows = make([*given, example("d", "2", image="noise")])
    assert [row.key for row in rows] == ["a"]
    assert rows.dropped == {
        "against the rule: an image decodes": ["b", "d"],
        "against the rule: image id is known": ["c"],
    }
    assert "row b is left out: Image noise cannot be decoded" in caplog.text


def test_the_digest_follows_every_field_and_the_order(make: Make) -> None:
    a, b = example("a", "2"), example("b", "2")
    variants = [[a, b], [b, a], [a], [a, example("b", "3")], [a, example("b", "2", image="img1")]]
    variants += [[a, example("b", "2", question="Why?")], [a, example("c", "2")]]
    variants += [[a, replace(b, weighted_span=(0, 3))]]
    assert len({make(variant).digest for variant in variants}) == len(variants)
    assert make([a, b]).digest == content_id([astuple(a), astuple(b)])


def test_the_weighted_span_is_counted_in_tokens(make: Make, builder: InputBuilder) -> None:
    target = "There are 2 wrong ones."
    first, last = target.index(" 2"), target.index(" ones")
    [row] = make([replace(example("a", target), weighted_span=(first, last))])
    assert builder.tokenizer.decode(list(row.target_ids)[slice(*row.weighted_span)]) == " 2 wrong"
    [plain] = make([example("a", target)])
    assert plain.weighted_span == (0, 0) and plain.target_ids == row.target_ids


@pytest.fixture
def made(make: Make, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Write rows, and return the keys of those that were made for it."""

    def call(examples: Iterable[Example], **given: Any) -> list[str]:
        keys: list[str] = []

        def count(one: Example, *more: Any) -> Row | str:
            keys.append(one.key)
            return make_row(one, *more)

        with monkeypatch.context() as patch:
            patch.setattr(row_file, "make_row", count)
            rows = list(make(examples, **given))
        assert [row.key for row in rows] == [one.key for one in examples if one.key in "ab"]
        return keys

    return call


BOTH = [example("a", "There are 2."), example("b", "There are 3.")]


def test_rows_of_the_same_are_not_made_again(
    made: Callable[..., list[str]], tmp_path: Path, builder: InputBuilder
) -> None:
    too_long = example("long", "word " * 900)
    assert made([*BOTH, too_long]) == ["a", "b", "long"]
    assert made([*BOTH, too_long]) == []
    assert made(BOTH) == ["a", "b"] and made(BOTH[::-1]) == ["b", "a"]
    assert made(BOTH[::-1], max_tokens=400) == ["b", "a"]
    builder.input_fingerprint += "x"
    assert made(BOTH[::-1], max_tokens=400) == ["b", "a"]
    builder.input_fingerprint = builder.input_fingerprint[:-1]


def test_rows_left_out_for_their_pictures_are_tried_again(made: Callable[..., list[str]]) -> None:
    unread = example("unread", "There are 2.", image="noise")
    for _ in range(2):
        assert made([*BOTH, unread]) == ["a", "b", "unread"]


@pytest.mark.parametrize("damage", ["summary.json", "rows.jsonl", "cut"])
def test_a_folder_that_is_not_whole_is_written_again(
    made: Callable[..., list[str]], tmp_path: Path, damage: str
) -> None:
    made(BOTH)
    if damage == "cut":
        with (tmp_path / "rows/rows.jsonl").open("r+b") as file:
            file.truncate(100)
    else:
        (tmp_path / "rows" / damage).unlink()
    assert made(BOTH) == ["a", "b"]


class Killed(list[Example]):
    """Examples of a start that ends at the second one."""

    reads = 0

    def __iter__(self) -> Iterator[Example]:
        """Read to the end once, for the hash."""
        self.reads += 1
        yield BOTH[1]
        if self.reads == 2:
            raise KeyboardInterrupt
        yield BOTH[0]


def test_what_a_killed_start_left_is_not_taken_for_the_rows(
    made: Callable[..., list[str]], make: Make, tmp_path: Path
) -> None:
    made(BOTH)
    with pytest.raises(KeyboardInterrupt):
        make(Killed())
    assert not (tmp_path / "rows/summary.json").exists()
    assert made(BOTH) == ["a", "b"]
