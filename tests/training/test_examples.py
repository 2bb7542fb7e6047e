from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.engines.inputs import InputBuilder
from mathse.training.examples import EMPTY_TARGET, TOO_LONG, Example, examples_digest, make_rows
from tests.tiny import ask


@pytest.fixture(scope="module")
def builder(tiny: Path, store: ImageStore) -> InputBuilder:
    return InputBuilder.load(tiny, store)


def example(key: str, target: str, *, image: str = "img0", question: str = "How many?") -> Example:
    return Example(key, ask(question, 1), (image,), target)


def test_rows_count_prompt_image_and_target(builder: InputBuilder) -> None:
    [row], dropped = make_rows([example("a", "There are 2.")], builder, max_tokens=500)
    assert dropped == {}
    assert row.prompt_tokens == builder.features(row.text, row.image_ids)["input_ids"].shape[1]
    assert builder.tokenizer.decode(list(row.target_ids)) == "There are 2.<end_of_utterance>"
    assert row.tokens == row.prompt_tokens + len(row.target_ids)


def test_too_long_and_empty_rows_are_left_out_whole_and_named(builder: InputBuilder) -> None:
    short = example("short", "2")
    [row], _ = make_rows([short], builder, max_tokens=500)
    given = [
        short,
        example("long target", "2 " * 300),
        example("empty", " \n"),
        example("long prompt", "2", question="w " * 300),
    ]
    rows, dropped = make_rows(given, builder, max_tokens=row.tokens)
    assert rows == [row]  # exactly at the limit: kept, and not cut
    assert dropped == {TOO_LONG: ["long target", "long prompt"], EMPTY_TARGET: ["empty"]}


def test_an_empty_training_set_says_why(builder: InputBuilder) -> None:
    with pytest.raises(DataError, match="of 2 rows, 1 over max_tokens, 1 empty target") as error:
        make_rows([example("a", "2"), example("b", "")], builder, max_tokens=3)
    assert "raise max_tokens" in str(error.value)
    with pytest.raises(DataError, match="none were given"):
        make_rows([], builder, max_tokens=3)


@pytest.mark.parametrize("image", ["noise", "nowhere"])
def test_a_bad_image_names_the_row_before_training(builder: InputBuilder, image: str) -> None:
    with pytest.raises(DataError, match=f"Training row b: .*{image}"):
        make_rows([example("a", "2"), example("b", "2", image=image)], builder, max_tokens=500)


def test_the_digest_follows_every_field_and_the_order() -> None:
    a, b = example("a", "2"), example("b", "2")
    variants = [[a, b], [b, a], [a], [a, example("b", "3")], [a, example("b", "2", image="img1")]]
    variants += [[a, example("b", "2", question="Why?")], [a, example("c", "2")]]
    assert len({examples_digest(variant) for variant in variants}) == len(variants)
    assert examples_digest([a, b]) == examples_digest([example("a", "2"), example("b", "2")])


def test_the_weighted_span_is_counted_in_tokens(builder: InputBuilder) -> None:
    target = "There are 2 wrong ones."
    first, last = target.index(" 2"), target.index(" ones")
    [row], _ = make_rows(
        [replace(example("a", target), weighted_span=(first, last))], builder, max_tokens=500
    )
    assert builder.tokenizer.decode(list(row.target_ids)[slice(*row.weighted_span)]) == " 2 wrong"
    [plain], _ = make_rows([example("a", target)], builder, max_tokens=500)
    assert plain.weighted_span == (0, 0) and plain.target_ids == row.target_ids
    assert examples_digest([example("a", target)]) != examples_digest(
        [replace(example("a", target), weighted_span=(0, 3))]
    )
