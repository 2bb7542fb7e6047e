"""Find training problems that are evaluated too, by wording, numbers and picture.

The problems of `train` and `orm` are compared with every evaluation split, those of `orm` also with
`orm_test`. A match needs the same numbers in the question (digits or words), and one of four rules;
the first that applies names the match:

- text_and_picture: similar wording and the same picture;
- picture_and_answer: the same picture and the same gold answer, whatever the wording;
- text: nearly the same wording, where one of the two has no picture; less similarity is enough
  where the question has several numbers, else choices, where both have them, must be much the same;
- text_and_answer: nearly the same wording, several numbers and the same gold answer, but another
  picture: a redrawn figure.

So neither a stock question ("What is the median?") over another picture nor a chart with another
question is a match. Choices at the end of a question count as choices, not as its wording.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mathse.core.params import Decontaminate
from mathse.curation.image_signature import Signatures, hamming_pairs
from mathse.curation.image_similarity import similarities
from mathse.curation.text_similarity import (
    answer_text,
    candidate_pairs,
    char_trigrams,
    idf_weights,
    jaccard,
    numbers,
    plain_answer,
)
from mathse.datasets.fields import cut_prompt
from schemas import Match, column_types

_COMPARED = ("wording_id", "numbers_id", "answer_id", "several", "has_picture", "choices")
# "12. " before "What is x?", where a book numbers its problems
_ITEM_NUMBER = re.compile(r"\A\s*\d{1,3}[.)、]\s+(?=[^\W\d_])")


def find_matches(
    problems: pl.DataFrame,
    image: Callable[[str], bytes],
    settings: Decontaminate,
    *,
    evaluated: Iterable[str],
) -> pl.DataFrame:
    """List all pairs of a training problem and an evaluation problem that are the same.

    Args:
        problems: `Problem` rows of all splits.
        image: returns the bytes of an image by its id.
        settings: thresholds.
        evaluated: the evaluation splits.

    Returns:
        `Match` rows sorted by problem_id and other_id.

    Raises:
        DataError: if an image does not decode.
    """
    rows = _with_keys(problems, settings.numbers_min)
    # Trigrams of each different question, and their weights over all.
    wordings = rows.select("wording_id", "wording", "numbers").unique().sort("wording_id")
    trigrams = [char_trigrams(wording) for wording in wordings["wording"]]
    weights = idf_weights(trigrams)
    found = []
    # Candidates by text or by picture, then the rules.
    with Signatures(image) as signatures:
        for splits, others in (
            (("train", "orm"), sorted(set(evaluated))),
            (("orm",), ["orm_test"]),
        ):
            in_others = pl.col("split").is_in(others)
            left = rows.filter(pl.col("split").is_in(splits) & ~in_others).with_row_index("left")
            right = rows.filter(in_others).with_row_index("right")
            names = {name for side in (left, right) for ids in side["image_ids"] for name in ids}
            signatures.add(names)
            pairs = _text_candidates(left, right, trigrams, wordings["numbers"])
            near = _picture_candidates(left, right, signatures.hashes, settings.hash_bits_max)
            pairs = _with_scores(pl.concat([pairs, near]), left, right, trigrams, weights, settings)
            found += _matches(pairs, left, right, signatures, settings)
    return pl.DataFrame(found, schema=column_types(Match)).sort("problem_id", "other_id")


def contaminated_problems(matches: pl.DataFrame, split: str) -> list[str]:
    """Return the ids of a split's problems that have a match, sorted."""
    return sorted(set(matches.filter(pl.col("split") == split)["problem_id"]))


def _with_keys(problems: pl.DataFrame, numbers_min: int) -> pl.DataFrame:
    """Return what is compared; equal texts have equal ids, from 0."""
    # A copy may list the choices in its question.
    cuts = [(question, *cut_prompt(question)) for question in problems["question"]]
    prompts = [(wording or question, cut) for question, wording, cut in cuts]
    columns = zip(problems["choices"].to_list(), prompts, strict=True)
    listed = [own or cut for own, (_, cut) in columns]
    found = [numbers(_ITEM_NUMBER.sub("", wording)) for wording, _ in prompts]
    answers = [
        plain_answer(answer_text(*row)) for row in zip(problems["answer"], listed, strict=True)
    ]
    choices = [[*map(plain_answer, texts)] for texts in listed]
    return problems.select(
        "problem_id",
        "split",
        "question",
        "image_ids",
        pl.Series("wording", [wording for wording, _ in prompts], dtype=pl.String),
        pl.Series("numbers", [" ".join(sorted(item)) for item in found], dtype=pl.String),
        pl.Series("several", [len(item) >= numbers_min for item in found], dtype=pl.Boolean),
        pl.Series("answer", answers, dtype=pl.String),
        pl.Series("choices", choices, dtype=pl.List(pl.String)),
        has_picture=pl.col("image_ids").list.len() > 0,
    ).with_columns(
        (pl.col(name).rank("dense") - 1).alias(f"{name}_id")
        for name in ("wording", "numbers", "answer")
    )


def _text_candidates(
    left: pl.DataFrame, right: pl.DataFrame, trigrams: list[frozenset[str]], keys: pl.Series
) -> pl.DataFrame:
    """Return pairs of rows that may have the same numbers and similar wording."""
    ids = [side["wording_id"].unique().sort() for side in (left, right)]
    found = candidate_pairs(*([(trigrams[i], keys[i]) for i in side] for side in ids))
    one, other = ids[0].gather(found["left"]), ids[1].gather(found["right"])
    pairs = pl.DataFrame([one, other.alias("wording_id_right")])
    pairs = pairs.join(left.select("left", "wording_id"), on="wording_id")
    others = right.select("right", wording_id_right="wording_id")
    return pairs.join(others, on="wording_id_right").select("left", "right", near=pl.lit(False))


def _picture_candidates(
    left: pl.DataFrame, right: pl.DataFrame, hashes: Mapping[str, NDArray[np.uint64]], bits_max: int
) -> pl.DataFrame:
    """Return pairs of rows with the same numbers and near hashes of pictures, in either frame."""
    sides = [
        side.select(pl.col(index).alias("index"), "numbers_id", "image_ids")
        .explode("image_ids")
        .drop_nulls()
        for index, side in (("left", left), ("right", right))
    ]
    rows, keys = ([side[name].to_numpy() for side in sides] for name in ("index", "numbers_id"))
    found = [pl.DataFrame(schema={"left": pl.UInt32, "right": pl.UInt32, "near": pl.Boolean})]
    for frame in (0, 1):
        one, other = (np.array([hashes[name][frame] for name in s["image_ids"]]) for s in sides)
        for i, j in hamming_pairs(one, other, bits_max=bits_max):
            same = keys[0][i] == keys[1][j]
            near = {"left": rows[0][i[same]], "right": rows[1][j[same]]}
            found.append(pl.DataFrame(near).with_columns(near=pl.lit(True)))
    return pl.concat(found)


def _with_scores(
    pairs: pl.DataFrame,
    left: pl.DataFrame,
    right: pl.DataFrame,
    trigrams: list[frozenset[str]],
    weights: Mapping[str, float],
    settings: Decontaminate,
) -> pl.DataFrame:
    """Return the pairs that can be a match, with what the rules need.

    Added are text and same_answer; near: whether the pictures decide; text_rule: the rule that
    applies whatever the pictures.
    """
    pairs = (
        pairs.group_by("left", "right")
        .agg(pl.col("near").any())
        .join(left.select("left", *_COMPARED), on="left")
        .join(right.select("right", *_COMPARED), on="right", suffix="_right")
        .filter(pl.col("numbers_id") == pl.col("numbers_id_right"))
    )
    # The similarity of each different pair of wordings.
    wordings = pairs.select("wording_id", "wording_id_right").unique()
    values = [jaccard(trigrams[i], trigrams[j], weights) for i, j in wordings.iter_rows()]
    wordings = wordings.with_columns(pl.Series("text", values, dtype=pl.Float64))
    # What each rule asks for.
    text, same_answer = pl.col("text"), pl.col("answer_id") == pl.col("answer_id_right")
    enough = pl.when("several").then(settings.text_min).otherwise(settings.text_plain_min)
    pictured = pl.col("has_picture") & pl.col("has_picture_right")
    # "Which of these is a prime number?" is asked of many choices: these must be much the same.
    fewest = pl.min_horizontal(pl.col("choices", "choices_right").list.len())
    shared = pl.col("choices").list.set_intersection("choices_right").list.len()
    same_choices = pl.col("several") | same_answer | (2 * shared >= fewest)
    # The same picture is the same problem only together with the wording or the answer.
    near = pl.col("near") & ((text >= settings.text_with_picture_min) | same_answer)
    text_rule = (
        pl.when((text >= enough) & ~pictured & same_choices)
        .then(pl.lit("text"))
        .when((text >= enough) & same_answer & pl.col("several"))
        .then(pl.lit("text_and_answer"))
    )
    return (
        pairs.join(wordings, on=["wording_id", "wording_id_right"])
        .select("left", "right", "text", same_answer=same_answer, near=near, text_rule=text_rule)
        .filter(pl.col("near") | pl.col("text_rule").is_not_null())
    )


def _matches(
    pairs: pl.DataFrame,
    left: pl.DataFrame,
    right: pl.DataFrame,
    signatures: Signatures,
    settings: Decontaminate,
) -> list[dict[str, Any]]:
    """Compare the pictures of near pairs, and return the `Match` rows."""
    columns = {"problem_id": "other_id", "split": "other_split", "question": "other_question"}
    others = right.select("right", "image_ids", *(pl.col(a).alias(b) for a, b in columns.items()))
    pairs = pairs.join(left.select("left", "image_ids", *columns), on="left")
    rows = pairs.join(others, on="right", suffix="_right").to_dicts()
    for row in rows:
        images = product(row["image_ids"], row["image_ids_right"])
        row["pictures"] = [*images] if row["near"] else []
    # Where a rule of the text applies too, the similarity is listed even below the bound.
    both = {pair for row in rows if row["text_rule"] for pair in row["pictures"]}
    alone = {pair for row in rows for pair in row["pictures"]} - both
    pictures = similarities(sorted(both), signatures, exact_from=0.0)
    pictures |= similarities(sorted(alone), signatures, exact_from=settings.picture_min)
    # The rule of each pair, if one applies.
    found = []
    for row in rows:
        row["picture"] = max((pictures[pair] for pair in row["pictures"]), default=None)
        row["rule"] = row["text_rule"]
        if row["picture"] is not None and row["picture"] >= settings.picture_min:
            similar = row["text"] >= settings.text_with_picture_min
            row["rule"] = "text_and_picture" if similar else "picture_and_answer"
        if row["rule"]:
            found.append({name: row[name] for name in column_types(Match)})
    return found
