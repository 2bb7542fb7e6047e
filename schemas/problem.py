"""Problems: questions with their gold answers."""

from __future__ import annotations

from typing import Annotated

import polars as pl

from schemas.enums import ANSWER_TYPES, LETTERS, NUMBERED_IMAGE, UNNUMBERED_IMAGE
from schemas.table import (
    LANGUAGE_CODE,
    SHA256,
    Table,
    content_id,
    field,
    is_json_object,
    one_of,
    rule,
    short_name,
    text,
    unique,
)

_N_CHOICES = pl.col("choices").list.len()
_N_IMAGES = pl.col("image_ids").list.len()
_NUMBERED = pl.col("question").str.extract_all(NUMBERED_IMAGE)
_UNNUMBERED = pl.col("question").str.count_matches(UNNUMBERED_IMAGE)
_NUMBERS = _NUMBERED.list.eval(pl.element().str.extract(r"(\d+)").cast(pl.Int64))
_LETTER = pl.col("answer").str.strip_chars()
_LETTER_INDEX = pl.lit(LETTERS).str.find(_LETTER, literal=True)
_NAMES_A_CHOICE = (
    (_LETTER.str.len_chars() == 1) & (_LETTER_INDEX < _N_CHOICES).fill_null(False)
) | pl.col("choices").list.contains(pl.col("answer"))


class Problem(Table):
    """One problem. `problem_id` is the content id of question, choices, answer and image ids.

    Imported problems that differ in unit or precision alone have ids of their own. The table of an
    import may have a problem once for each split.
    """

    problem_id: pl.String = content_id("content id of question, choices, answer and image ids")
    source: pl.String = text(
        "data set it comes from: figures for the built-in ones, else a name of `mathse import list`"
    )
    split: pl.String = short_name("what it is used for: train, orm, orm_test, eval, eval_hard")
    subject: pl.String = text("area of mathematics or kind of task, as the source names it")
    level: pl.Int64 = field(
        "difficulty or school grade, as the source counts it; 0: not given", ge=0
    )
    family: pl.String = text("family of built-in problems, or a finer subject", nullable=True)
    question: pl.String = text(
        "the question; `<image>` or `<image1>` stand where an image is meant"
    )
    choices: Annotated[pl.List, pl.String()] = field(
        "texts of the choices in order; empty where the answer is free"
    )
    answer: pl.String = text("gold answer: a value, or the letter or text of a choice")
    answer_type: pl.String = one_of(ANSWER_TYPES, "{}")
    unit: pl.String = text("unit of the answer, where the question asks for one", nullable=True)
    precision: pl.Int64 = field("decimal places that count", nullable=True, ge=0)
    image_ids: Annotated[pl.List, pl.String()] = field("images in the order shown; ids of `Image`")
    language: pl.String = field(
        "language code of the question, such as en or zh", str_matches=LANGUAGE_CODE
    )
    solution: pl.String = text("worked solution that the source brings", nullable=True)
    meta: pl.String = field(
        "JSON object: what else the source has, such as a benchmark's question type", nullable=True
    )

    id_unique = unique("problem_id")
    placeholders_fit = rule(
        "image placeholders fit the images",
        "question",
        (_NUMBERS.list.max().fill_null(0) <= _N_IMAGES)
        & (_NUMBERS.list.min().fill_null(1) >= 1)
        & ((_UNNUMBERED == 0) | (_UNNUMBERED == _N_IMAGES)),
    )
    choices_given = rule(
        "choices are not empty",
        "choices",
        ~pl.col("choices")
        .list.eval(pl.element().is_null() | (pl.element().str.strip_chars() == ""))
        .list.any(),
    )
    choices_count = rule(
        "choices are none or 2 to 26", "choices", (_N_CHOICES == 0) | _N_CHOICES.is_between(2, 26)
    )
    choices_differ = rule(
        "choices differ", "choices", pl.col("choices").list.n_unique() == _N_CHOICES
    )
    letter_exists = rule(
        "choice letter exists",
        "answer",
        (pl.col("answer_type") != "choice") | pl.col("answer").is_null() | _NAMES_A_CHOICE,
    )
    image_ids_form = rule(
        "image_ids are SHA-256 digests",
        "image_ids",
        pl.col("image_ids")
        .list.eval(pl.element().str.contains(SHA256).fill_null(False))
        .list.all(),
    )
    meta_json = is_json_object("meta")
