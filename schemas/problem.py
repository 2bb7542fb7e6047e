"""Problems: questions with their gold answers."""

from __future__ import annotations

from typing import Annotated

import pandera.polars as pa
import polars as pl

from schemas.enums import ANSWER_TYPES, LETTERS
from schemas.table import (
    SHA256,
    Table,
    at_least,
    is_content_id,
    is_json_object,
    is_short_name,
    matches,
    not_empty,
    one_of,
    rule,
    unique,
)

_N_CHOICES = pl.col("choices").list.len()
_N_IMAGES = pl.col("image_ids").list.len()
_NUMBERED = pl.col("question").str.extract_all(r"<image[ _]?\d+>")
_UNNUMBERED = pl.col("question").str.count_matches(r"<image>")
_HIGHEST = (
    _NUMBERED.list.eval(pl.element().str.extract(r"(\d+)").cast(pl.Int64)).list.max().fill_null(0)
)
_LETTER = pl.col("answer").str.strip_chars()
_LETTER_PLACE = pl.lit(LETTERS).str.find(_LETTER, literal=True)
_NAMES_A_CHOICE = (
    (_LETTER.str.len_chars() == 1) & (_LETTER_PLACE < _N_CHOICES).fill_null(False)
) | pl.col("choices").list.contains(pl.col("answer"))


class Problem(Table):
    """One problem. `problem_id` is the content id of question, choices, answer and image ids."""

    problem_id: pl.String = pa.Field(
        description="content id of question, choices, answer and image ids"
    )
    source: pl.String = pa.Field(
        description="data set it comes from: figures for the built-in ones, else a name of `mathse import list`"
    )
    split: pl.String = pa.Field(
        description="what it is used for: train, orm, orm_test, eval, eval_hard"
    )
    subject: pl.String = pa.Field(
        description="area of mathematics or kind of task, as the source names it"
    )
    level: pl.Int64 = pa.Field(
        description="difficulty or school grade, as the source counts it; 0: not told"
    )
    family: pl.String = pa.Field(
        nullable=True, description="family of built-in problems, or a finer subject"
    )
    question: pl.String = pa.Field(
        description="the question; `<image>` or `<image1>` stand where an image is meant"
    )
    choices: Annotated[pl.List, pl.String()] = pa.Field(
        description="texts of the choices in order; empty where the answer is free"
    )
    answer: pl.String = pa.Field(
        description="gold answer: a value, or the letter or text of a choice"
    )
    answer_type: pl.String = pa.Field(description="number, choice, expression, text or set")
    unit: pl.String = pa.Field(
        nullable=True, description="unit of the answer, where the question asks for one"
    )
    precision: pl.Int64 = pa.Field(nullable=True, description="decimal places that count")
    image_ids: Annotated[pl.List, pl.String()] = pa.Field(
        description="images in the order shown; ids of `Image`"
    )
    language: pl.String = pa.Field(description="language code of the question, such as en or zh")
    solution: pl.String = pa.Field(
        nullable=True, description="worked solution that the source brings"
    )
    meta: pl.String = pa.Field(
        nullable=True,
        description="JSON object: what else the source tells, such as a benchmark's question type or problem version",
    )

    id_form = is_content_id("problem_id")
    id_unique = unique("problem_id")
    source_given = not_empty("source")
    split_name = is_short_name("split")
    subject_given = not_empty("subject")
    level_range = at_least("level", 0)
    family_given = not_empty("family")
    question_given = not_empty("question")
    placeholders_fit = rule(
        "image placeholders fit the images",
        "question",
        (_HIGHEST <= _N_IMAGES) & (_UNNUMBERED <= _N_IMAGES),
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
    answer_given = not_empty("answer")
    answer_type_known = one_of("answer_type", ANSWER_TYPES)
    letter_exists = rule(
        "choice letter exists",
        "answer",
        (pl.col("answer_type") != "choice") | pl.col("answer").is_null() | _NAMES_A_CHOICE,
    )
    unit_given = not_empty("unit")
    precision_range = at_least("precision", 0)
    image_ids_form = rule(
        "image_ids are SHA-256 digests",
        "image_ids",
        pl.col("image_ids")
        .list.eval(pl.element().str.contains(SHA256).fill_null(False))
        .list.all(),
    )
    language_code = matches("language", r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$", "a language code")
    solution_given = not_empty("solution")
    meta_json = is_json_object("meta")
