"""Training problems that are evaluated too: found by wording, numbers and picture, listed with both sides.

What is kept from what: problems that the student trains on (`train`) and that the ORM learns from
(`orm`) from every evaluation split; the ORM's problems from those that test it (`orm_test`) as
well.

Four rules, of which the first that holds names a match. All ask for the same numbers in the
question (digits or words): a problem with other numbers is another problem.

- text and picture: worded somewhat alike, and the same picture;
- picture and answer: the same picture and the same gold answer, whatever the wording;
- text: worded alike, where one of the two has no picture: less alike is enough where the question
  has several numbers;
- text and answer: worded alike, with several numbers and the same gold answer, although the
  pictures differ: a figure drawn anew.

So neither a stock question ("What is the median?") over another picture nor a chart with another
question is a match.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from mathse.core.params import Decontaminate
from mathse.core.progress import track
from mathse.curation.candidate_pairs import candidate_pairs
from mathse.curation.image_signature import (
    ImageSignature,
    compute_signature,
    hamming_pairs,
    similarities,
)
from mathse.curation.text_similarity import (
    answer_text,
    char_trigrams,
    idf_weights,
    numbers,
    same_answer,
    weighted_jaccard,
)
from schemas import Match, column_types

MATCHES = column_types(Match)


@dataclass(frozen=True)
class Side:
    """One problem as it is compared."""

    problem_id: str
    split: str
    question: str
    answer: str
    image_ids: tuple[str, ...]
    char_trigrams: frozenset[str]
    numbers: frozenset[str]

    @property
    def key(self) -> str:
        """The numbers as one text."""
        return " ".join(sorted(self.numbers))


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
    held_out = sorted(set(evaluated))
    kept_apart = [(("train", "orm"), held_out), (("orm",), ["orm_test"])]
    sides = {row["problem_id"]: _side(row) for row in problems.iter_rows(named=True)}
    weights = idf_weights({side.question: side.char_trigrams for side in sides.values()}.values())
    signatures: dict[str, ImageSignature] = {}
    rows: list[dict[str, Any]] = []
    for ours, theirs in kept_apart:
        left = [side for side in sides.values() if side.split in ours and side.split not in theirs]
        right = [side for side in sides.values() if side.split in theirs]
        if left and right:
            _draw({name for side in (*left, *right) for name in side.image_ids}, image, signatures)
            rows += _compare(left, right, signatures, weights, settings)
    return pl.DataFrame(rows, schema=MATCHES).sort("problem_id", "other_id")


def contaminated_problems(matches: pl.DataFrame, split: str) -> list[str]:
    """Return the ids of a split's problems that have a match, sorted."""
    return sorted(set(matches.filter(pl.col("split") == split)["problem_id"]))


def _side(row: dict[str, Any]) -> Side:
    question = row["question"]
    return Side(
        row["problem_id"],
        row["split"],
        question,
        answer_text(row["answer"], row["choices"]),
        tuple(row["image_ids"]),
        char_trigrams(question),
        numbers(question),
    )


def _draw(
    names: Iterable[str], image: Callable[[str], bytes], signatures: dict[str, ImageSignature]
) -> None:
    new = sorted(set(names) - set(signatures))
    if not new:
        return
    for name in track(new, total=len(new), label="look at pictures", unit="pictures"):
        signatures[name] = compute_signature(image(name))


def _compare(
    left: list[Side],
    right: list[Side],
    signatures: dict[str, ImageSignature],
    weights: dict[str, float],
    settings: Decontaminate,
) -> list[dict[str, Any]]:
    by_text = candidate_pairs(
        [(side.char_trigrams, side.key) for side in left],
        [(side.char_trigrams, side.key) for side in right],
    )
    by_picture = _near_pictures(left, right, signatures, settings.hash_bits_max)
    known: dict[tuple[str, str], float] = {}
    pairs: list[tuple[Side, Side, float, bool]] = []
    for a, b in sorted({*by_text, *by_picture}):
        one, other = left[a], right[b]
        if one.numbers != other.numbers:
            continue
        words = (one.question, other.question)
        if words not in known:
            known[words] = weighted_jaccard(one.char_trigrams, other.char_trigrams, weights)
        text = known[words]
        # The same picture tells of the same problem only together with the wording or the answer.
        looked_at = text >= settings.text_with_picture_min or same_answer(one.answer, other.answer)
        pairs.append((one, other, text, (a, b) in by_picture and looked_at))
    wanted = {
        (x, y)
        for one, other, _, near in pairs
        if near
        for x in one.image_ids
        for y in other.image_ids
    }
    pictures = similarities(sorted(wanted), signatures)
    found = (_judge(one, other, text, near, pictures, settings) for one, other, text, near in pairs)
    return [row for row in found if row is not None]


def _judge(
    one: Side,
    other: Side,
    text: float,
    near: bool,
    pictures: dict[tuple[str, str], float],
    settings: Decontaminate,
) -> dict[str, Any] | None:
    answers = same_answer(one.answer, other.answer)
    both_drawn = bool(one.image_ids and other.image_ids)
    told_by_numbers = len(one.numbers) >= settings.numbers_min
    alike_text = text >= (settings.text_min if told_by_numbers else settings.text_plain_min)
    rule, picture = None, None
    if near:
        picture = max(pictures[x, y] for x in one.image_ids for y in other.image_ids)
        if picture >= settings.picture_min:
            rule = (
                "text_and_picture"
                if text >= settings.text_with_picture_min
                else "picture_and_answer"
            )
    if rule is None and alike_text and not both_drawn:
        rule = "text"
    if rule is None and alike_text and answers and told_by_numbers:
        rule = "text_and_answer"
    if rule is None:
        return None
    return {
        "problem_id": one.problem_id,
        "split": one.split,
        "other_id": other.problem_id,
        "other_split": other.split,
        "rule": rule,
        "text": text,
        "picture": picture,
        "same_answer": answers,
        "question": one.question,
        "other_question": other.question,
    }


def _near_pictures(
    left: list[Side], right: list[Side], signatures: dict[str, ImageSignature], bits_max: int
) -> set[tuple[int, int]]:
    """Return places of problems with a pair of pictures whose hashes are near, in one frame or the other."""
    ours = [(place, name) for place, side in enumerate(left) for name in side.image_ids]
    theirs = [(place, name) for place, side in enumerate(right) for name in side.image_ids]
    if not ours or not theirs:
        return set()
    places_a, places_b = (np.array([place for place, _ in items]) for items in (ours, theirs))
    keys_a, keys_b = (_keys([side.key for side in sides]) for sides in (left, right))
    found: set[tuple[int, int]] = set()
    for frame in (0, 1):
        hashes = [
            np.stack([signatures[name][frame].bits for _, name in items])
            for items in (ours, theirs)
        ]
        for rows, columns in hamming_pairs(hashes[0], hashes[1], bits_max=bits_max):
            a, b = places_a[rows], places_b[columns]
            same = keys_a[a] == keys_b[b]
            found.update(zip(a[same].tolist(), b[same].tolist(), strict=True))
    return found


def _keys(texts: list[str]) -> np.ndarray[Any, np.dtype[np.str_]]:
    return np.array(texts, dtype=np.str_)
