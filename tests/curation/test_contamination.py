from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from PIL import Image

import schemas
from mathse.core.ids import content_id
from mathse.core.params import load_params
from mathse.curation.contamination import contaminated_problems, find_matches
from mathse.curation.text_similarity import (
    answer_text,
    candidate_pairs,
    char_trigrams,
    numbers,
    plain_answer,
)
from tests.closure import ROOT
from tests.curation.pictures import CHANGES, bars, opened, png, triangle

SETTINGS = load_params(ROOT / "params.yaml").decontaminate
QUESTION = (
    "A shop sells 12 red and 7 blue kites. On Monday 5 kites are sold. How many kites are left?"
)
REWORDED = (
    "How many kites remain in a shop that sells 12 red and 7 blue kites, "
    "when 5 kites are sold on Monday?"
)
OTHER_NUMBERS = (
    "How many kites remain in a shop that sells 13 red and 8 blue kites, "
    "when 6 kites are sold on Monday?"
)


class World:
    """Problems and their pictures."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.images: dict[str, bytes] = {}

    def add(
        self,
        split: str,
        question: str,
        answer: str = "14",
        picture: bytes | None = None,
        **more: Any,
    ) -> str:
        ids = []
        if picture is not None:
            ids = [content_id("image", picture)]
            self.images[ids[0]] = picture
        name = content_id(split, question, answer, ids, len(self.rows))
        row = {
            "problem_id": name,
            "split": split,
            "question": question,
            "answer": answer,
            "choices": [],
            "image_ids": ids,
        }
        self.rows.append(row | more)
        return name

    def matches(self, **changes: Any) -> pl.DataFrame:
        schema = {
            "problem_id": pl.String,
            "split": pl.String,
            "question": pl.String,
            "answer": pl.String,
            "choices": pl.List(pl.String),
            "image_ids": pl.List(pl.String),
        }
        rows = pl.DataFrame(self.rows, schema=schema)
        settings = SETTINGS.model_copy(update=changes)
        found = find_matches(
            rows, self.images.__getitem__, settings, evaluated=["eval", "eval_hard"]
        )
        assert found.schema == schemas.column_types(schemas.Match)
        return schemas.validate(found, schemas.Match, file="matches")

    def rules(self, **changes: Any) -> list[tuple[str, str, str]]:
        return self.matches(**changes).select("problem_id", "other_id", "rule").rows()


@pytest.mark.parametrize(
    "question",
    [QUESTION, QUESTION.upper(), f"<image1>\n{QUESTION}", f"<IMAGE 1>\n{QUESTION}", REWORDED],
)
def test_the_same_question_without_a_picture_is_a_match(question: str) -> None:
    world = World()
    evaluated = world.add("eval", QUESTION)
    trained = world.add("train", question)
    assert world.rules() == [(trained, evaluated, "text")]


def test_a_reworded_question_with_other_numbers_is_another_problem() -> None:
    world = World()
    world.add("eval", QUESTION)
    world.add("train", OTHER_NUMBERS)
    world.add("train", QUESTION.replace("12", "21"))
    assert world.rules() == []


STOCK = "Which of the following is a prime number?"


@pytest.mark.parametrize(
    ("question", "answer", "choices", "is_match"),
    [
        (STOCK, "A", ["91", "51", "57", "2"], False),
        (STOCK, "C", ["4", "6", "13", "8"], True),
        (STOCK, "C", ["10", "12", "13", "14"], True),
        (STOCK, "A", ["6", "8", "91", "15"], True),
        (STOCK, "13", [], True),
        (QUESTION, "A", ["14 kites", "15 kites"], True),
    ],
)
def test_a_stock_question_over_other_choices_is_another_problem(
    question: str, answer: str, choices: list[str], is_match: bool
) -> None:
    world = World()
    evaluated = world.add("eval", question, "B", choices=["4", "13", "6", "8"])
    trained = world.add("train", question, answer, choices=choices)
    assert world.rules() == ([(trained, evaluated, "text")] if is_match else [])


@pytest.mark.parametrize(
    ("listed", "answer", "is_match"),
    [
        ("Choices:\n(A) 4\n(B) 13\n(C) 6\n(D) 8", "B", True),
        ("A. 4\nB. 13\nC. 6\nD. 8", "13", True),
        ("Choices: (A) 91 (B) 51 (C) 57 (D) 2", "D", False),
    ],
)
def test_choices_in_the_question_are_choices(listed: str, answer: str, is_match: bool) -> None:
    world = World()
    evaluated = world.add("eval", STOCK, "B", choices=["4", "13", "6", "8"])
    trained = world.add("train", f"{STOCK}\n{listed}", answer)
    assert world.rules() == ([(trained, evaluated, "text")] if is_match else [])
    assert world.matches()["question"].to_list() == [f"{STOCK}\n{listed}"] * is_match


def test_a_question_that_is_a_hint_alone_is_compared_by_it() -> None:
    world = World()
    world.add("eval", "Hint: think of a triangle.")
    world.add("train", "Hint: look at all bars of the chart.")
    assert world.rules() == []


def test_numbers_in_words_are_the_same_numbers() -> None:
    world = World()
    evaluated = world.add("eval", QUESTION.replace("12", "125"))
    words = QUESTION.replace("12", "one hundred and twenty-five").replace("7", "seven")
    assert world.add("train", words) and world.rules()[0][1] == evaluated


def test_the_number_of_a_problem_in_its_book_does_not_count() -> None:
    world = World()
    evaluated = world.add("eval", QUESTION)
    trained = world.add("train", f"12. {QUESTION}"), world.add("train", f"31) {QUESTION}")
    world.add("train", f"31 kites. {QUESTION}")
    assert {row[0] for row in world.rules()} == {*trained}
    assert {row[1] for row in world.rules()} == {evaluated}


def test_both_sides_and_the_scores_are_listed() -> None:
    world = World()
    evaluated = world.add("eval_hard", REWORDED, "14")
    trained = world.add("train", QUESTION, "fifteen")
    row = world.matches().row(0, named=True)
    assert (row["problem_id"], row["other_id"], row["split"], row["other_split"]) == (
        trained,
        evaluated,
        "train",
        "eval_hard",
    )
    assert (row["question"], row["other_question"]) == (QUESTION, REWORDED)
    assert (
        SETTINGS.text_min <= row["text"] < 1
        and row["picture"] is None
        and row["same_answer"] is False
    )


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_copy_of_the_picture_with_a_reworded_question(change: Any) -> None:
    world = World()
    evaluated = world.add("eval", "What is the size of the angle with the mark?", "57", triangle())
    trained = world.add(
        "train", "Find the size of the angle with a mark.", "57", change(triangle())
    )
    assert world.rules() == [(trained, evaluated, "text_and_picture")]


def test_the_same_picture_and_answer_are_enough_whatever_the_words() -> None:
    world = World()
    evaluated = world.add("eval", "How much is the tallest one worth?", "120", bars())
    trained = world.add("train", "最高的柱子是多少?", "120", CHANGES["JPEG 60"](bars()))
    world.add("train", "Name the smallest value.", "40", CHANGES["JPEG 60"](bars()))
    assert world.rules() == [(trained, evaluated, "picture_and_answer")]


def test_a_stock_question_over_another_picture_is_another_problem() -> None:
    world = World()
    world.add("eval", "Find the angle with the question mark.", "57", triangle())
    world.add(
        "train", "Find the angle with the question mark.", "44", triangle(("61°", "75°", "?"))
    )
    world.add("train", "Find the angle with the question mark.", "57", triangle(shift=60))
    assert world.rules() == []


def test_a_figure_drawn_again_is_found_by_enough_numbers_and_the_answer() -> None:
    world = World()
    evaluated = world.add("eval", QUESTION, "14", triangle())
    trained = world.add("train", REWORDED, "14", bars())
    world.add("train", REWORDED, "15", bars())
    assert world.rules() == [(trained, evaluated, "text_and_answer")]
    assert world.rules(numbers_min=4) == []


def test_what_is_kept_from_what() -> None:
    world = World()
    names = {
        split: world.add(split, QUESTION)
        for split in ("train", "orm", "orm_test", "eval", "eval_hard")
    }
    found = {(row[0], row[1]) for row in world.rules()}
    pairs = [
        ("train", "eval"),
        ("train", "eval_hard"),
        ("orm", "eval"),
        ("orm", "eval_hard"),
        ("orm", "orm_test"),
    ]
    assert found == {(names[trained], names[evaluated]) for trained, evaluated in pairs}
    assert contaminated_problems(world.matches(), "train") == [names["train"]]


def test_the_built_in_figures_are_not_drowned_in_matches() -> None:
    from mathse.figures.source import build_tables

    counts = {"train": 160, "orm": 80, "orm_test": 40, "eval": 80, "eval_hard": 40}
    problems, images = build_tables(counts, seed=3)
    data = dict(images.select("image_id", "bytes").iter_rows())
    found = find_matches(problems, data.__getitem__, SETTINGS, evaluated=["eval", "eval_hard"])
    assert found.height <= 1


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<image1> 1,200 apples and 3.50 pounds", {"1200", "3.5"}),
        ("<IMAGE 1> 12 apples, <Image_2> 5", {"12", "5"}),
        ("seven of twenty, one of 7", {"7", "20"}),
        ("Twenty-five of a hundred and five", {"25", "105"}),
        ("two thousand three hundred people, ninety seventeen", {"2300", "90", "17"}),
        ("someone often weighs a stone", set()),
        (r"\frac{1}{2} of 007", {"1", "2", "7"}),
        ("none", set()),
    ],
)
def test_numbers_of_a_text(text: str, wanted: set[str]) -> None:
    assert numbers(text) == wanted


def test_answers_are_compared_by_what_they_say() -> None:
    answer = answer_text("B", ["3 cm", "4 cm"])
    assert plain_answer(answer) == plain_answer(r"$4 \mathrm{ cm}$")
    assert plain_answer("1,000.0") == plain_answer("1000") != plain_answer("100")
    assert answer_text("A", ["A", "B"]) == "A" and answer_text("Z", ["x", "y"]) == "Z"


def test_candidates_share_their_numbers_and_most_of_their_words() -> None:
    trained = [(char_trigrams(text), "12 5 7") for text in (QUESTION, REWORDED, "Draw a cat.")] + [
        (char_trigrams(QUESTION), "1")
    ]
    assert candidate_pairs(trained, [(char_trigrams(QUESTION), "12 5 7")]).rows() == [
        (0, 0),
        (1, 0),
    ]
    assert candidate_pairs([], trained).is_empty()


def test_nothing_depends_on_the_order_of_the_problems() -> None:
    world = World()
    for split in ("eval", "train", "orm"):
        for text in (QUESTION, REWORDED, OTHER_NUMBERS):
            world.add(split, text)
    first = world.matches()
    world.rows.reverse()
    assert first.height and world.matches().equals(first)


def test_a_real_image_folder_is_not_needed_for_problems_without_pictures(tmp_path: Path) -> None:
    world = World()
    world.add("train", QUESTION)
    assert world.rules() == []


def test_a_picture_on_a_wider_page_is_found_by_its_ink() -> None:
    def on_a_page(data: bytes) -> bytes:
        image = opened(data)
        page = Image.new("RGB", (image.width * 3 // 2, image.height * 3 // 2), "white")
        page.paste(image, (image.width // 4, image.height // 4))
        return png(page)

    world = World()
    asked = "Find the angle with the question mark."
    evaluated = world.add("eval", asked, "57", triangle())
    trained = world.add("train", asked, "57", on_a_page(triangle()))
    assert world.rules() == [(trained, evaluated, "text_and_picture")]
