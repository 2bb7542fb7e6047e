"""Self-selection: a student chooses among its own solutions of a problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl

from mathse.core.ids import content_id
from mathse.engines.protocol import Engine, Request, SamplingParams, complete_all
from mathse.prompts import parse_selection, select_messages
from mathse.trajectories import problems_by_id

MAX_NEW_TOKENS = 16
"""Of a text such as "The right solution is 2."."""


class Selection(NamedTuple):
    """What was chosen, and how often that took a look.

    Attributes:
        chosen: for each problem the sample_idx that is left.
        asked: how many prompts the student was given.
        unclear: how many of its answers named none of the solutions; the first one shown stayed.
    """

    chosen: dict[str, int]
    asked: int
    unclear: int


def select(
    engine: Engine, samples: pl.DataFrame, problems: pl.DataFrame, *, most: int
) -> Selection:
    """Let the student choose one sample of each problem.

    Only the first sample of each answer is a candidate. Of more candidates than a prompt holds the
    one chosen among the first meets the next ones, until one is left. Their order in a prompt
    follows from content hashes: the place of the right one tells nothing.

    Args:
        engine: the student.
        samples: problem_id, sample_idx, response and answer (see `with_answer_groups`; null: none).
        problems: `Problem` rows; those of the samples must be among them.
        most: most candidates in a prompt, at least 2.

    Source:
        Cheng et al. (2024), arXiv 2411.00855 (R3V), test-time selection.
    """
    known = problems_by_id(problems, samples["problem_id"].to_list())
    # A sample without an answer stays only where no other has one.
    rest: dict[str, list[tuple[int, str]]] = {}
    seen: set[tuple[str, str]] = set()
    ordered = samples.sort("problem_id", pl.col("answer").is_null(), "sample_idx")
    for name, index, text, answer in ordered.select(
        "problem_id", "sample_idx", "response", "answer"
    ).iter_rows():
        if name not in rest or (answer is not None and (name, answer) not in seen):
            rest.setdefault(name, []).append((index, text))
            seen.add((name, answer))
    asked = unclear = 0
    while undecided := {name: found[:most] for name, found in rest.items() if len(found) > 1}:
        shown = {name: _shuffled(name, found) for name, found in undecided.items()}
        requests = [
            _request(known[name], name, [text for _, text in found])
            for name, found in shown.items()
        ]
        for (name, found), done in zip(shown.items(), complete_all(engine, requests), strict=True):
            choice = parse_selection(done.text, len(found))
            asked, unclear = asked + 1, unclear + (choice is None)
            rest[name] = [found[choice or 0], *rest[name][len(found) :]]
    return Selection({name: found[0][0] for name, found in rest.items()}, asked, unclear)


def _shuffled(name: str, found: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    return sorted(found, key=lambda one: content_id("candidate", name, one[1]))


def _request(problem: Mapping[str, Any], name: str, texts: Sequence[str]) -> Request:
    images = tuple(problem["image_ids"])
    return Request(
        key=name,
        messages=select_messages(problem["question"], problem["choices"], len(images), texts),
        image_ids=images,
        sampling=SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=MAX_NEW_TOKENS),
        task="select",
        problem_id=name,
    )
