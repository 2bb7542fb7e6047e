"""Send the same prompts through two engines and compare what they give."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mathse.core.errors import ParamError
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import Machine
from mathse.core.params import Params, Role, RoleName
from mathse.core.registry import ENGINES, LOCAL_ENGINES
from mathse.core.stage_tables import read_problems
from mathse.engines.loading import load_engine
from mathse.engines.model_files import load_files
from mathse.engines.protocol import Completion, Request, SamplingParams, complete_all
from mathse.prompts import solve_messages

MIN_EQUAL = 0.99
"""Least share of equal texts: engines that sum in another order part ways now and then."""
_TOKENS = ("input_ids", "attention_mask", "mm_token_type_ids")


@dataclass(frozen=True)
class Side:
    """One of the two engines.

    Attributes:
        name: as it was given.
        completions: of the prompts.
        scores: the same prompts, each with the left side's text to score.
        inputs: token ids and hash of the pixels of each prompt; None where they are not known.
    """

    name: str
    completions: list[Completion]
    scores: list[Completion]
    inputs: list[tuple[list[int], str]] | None


def run_parity(
    params: Params, machine: Machine, layout: Layout, names: tuple[str, str], n: int
) -> tuple[list[list[str]], bool]:
    """Compare two engines on the first n problems, greedy.

    Args:
        params: all parameters.
        machine: how things run.
        layout: where problems and images are.
        names: of a role, or ENGINE:MODEL.
        n: prompts to send.

    Returns:
        Rows of what was compared, how many of how many are equal, and details; and whether all of
        it is as close as engines are.

    Raises:
        MathseError: if there are no problems, or an engine does not load.
    """
    roles = [find_role(params, name) for name in names]
    problems = read_problems(layout).sort("problem_id").head(n)
    sampling = SamplingParams(0.0, 1.0, min(64, params.generate.max_new_tokens))
    requests = [
        Request(
            key=row["problem_id"],
            messages=solve_messages(row["question"], row["choices"], len(row["image_ids"])),
            image_ids=tuple(row["image_ids"]),
            sampling=sampling,
            problem_id=row["problem_id"],
        )
        for row in problems.iter_rows(named=True)
    ]
    left = _run(machine, layout, names[0], roles[0], requests, None)
    right = _run(machine, layout, names[1], roles[1], requests, left.completions)
    return compare(left, right)


def find_role(params: Params, name: str) -> tuple[RoleName, Role]:
    """Return a role and its name, or the student's with another engine and model.

    Raises:
        ParamError: if it is neither.
    """
    for known, role in params.roles.items():
        if known == name:
            return known, role
    engine, _, model = name.partition(":")
    if engine not in ENGINES or not model:
        engines = ", ".join(ENGINES)
        raise ParamError(f"{name} is neither a role nor ENGINE:MODEL with one of {engines}")
    return "student", params.student.model_copy(update={"engine": engine, "model": model})


def _run(
    machine: Machine,
    layout: Layout,
    name: str,
    found: tuple[RoleName, Role],
    requests: Sequence[Request],
    texts: Sequence[Completion] | None,
) -> Side:
    """Complete the requests, and score the texts: those of the left side, or its own."""
    role_name, role = found
    images = ImageStore(layout.images, role.pixels)
    engine = load_engine(load_files(role), role, images, machine, role_name)
    completions = complete_all(engine, requests)
    scored = [
        replace(request, scored_text=given.text)
        for request, given in zip(requests, texts or completions, strict=True)
        if given.text
    ]
    scores = complete_all(engine, scored)
    engine.close()
    return Side(name, completions, scores, _inputs(role, images, requests))


def _inputs(
    role: Role, images: ImageStore, requests: Sequence[Request]
) -> list[tuple[list[int], str]] | None:
    """Return token ids and pixel hashes, by the processor that the engine has loaded, too."""
    if role.engine not in LOCAL_ENGINES:
        return None
    from mathse.engines.inputs import InputBuilder

    builder = InputBuilder.load(
        load_files(role), images, trust_remote_code=role.trust_remote_code, check=False
    )
    found = []
    for request in requests:
        features = builder.features(builder.render(request.messages), request.image_ids)
        pixels = hashlib.sha256()
        for key in sorted(features.keys() - {*_TOKENS}):
            pixels.update(features[key].numpy().tobytes())
        found.append((features["input_ids"][0].tolist(), pixels.hexdigest()))
    return found


def compare(left: Side, right: Side) -> tuple[list[list[str]], bool]:
    """Compare two sides; see `run_parity`."""
    rows: list[list[str]] = []
    passed = True

    def add(what: str, pairs: Sequence[tuple[Any, Any]], least: float, detail: str = "") -> None:
        nonlocal passed
        equal = sum(a == b for a, b in pairs)
        passed = passed and equal >= least * len(pairs)
        rows.append([what, f"{equal} of {len(pairs)}", detail])

    # Inputs: by the processors, and the lengths that the engines themselves count.
    silent = " and ".join(side.name for side in (left, right) if side.inputs is None)
    for index, what in enumerate(("prompt token ids", "pixel hashes")):
        if left.inputs is None or right.inputs is None:
            rows.append([what, "", f"not given by {silent}"])
        else:
            inputs = zip(left.inputs, right.inputs, strict=True)
            add(what, [(a[index], b[index]) for a, b in inputs], 1)
    both = list(zip(left.completions, right.completions, strict=True))
    add("prompt lengths as counted", [(a.prompt_tokens, b.prompt_tokens) for a, b in both], 1)

    # Texts, and the first place where two part.
    add("no errors", [(a.error or b.error, None) for a, b in both], 1, _first_error(both))
    add("greedy texts", [(a.text, b.text) for a, b in both], MIN_EQUAL, _first_difference(both))

    # Probabilities of the left side's texts.
    scored = [
        (a.scored_prob, b.scored_prob) for a, b in zip(left.scores, right.scores, strict=True)
    ]
    known = [(a, b) for a, b in scored if a and b]
    silent = " and ".join(
        side.name
        for side in (left, right)
        if not any(completion.scored_prob for completion in side.scores)
    )
    if known:
        gaps = [abs(math.log(a) - math.log(b)) for a, b in known]
        largest = f"largest difference {max(gaps):.2g}"
        rows.append(
            ["log-probabilities", f"{sum(gap < 0.1 for gap in gaps)} of {len(gaps)}", largest]
        )
    else:
        rows.append(["log-probabilities", "", f"not given by {silent}"])
    return rows, passed


def _first_error(both: Sequence[tuple[Completion, Completion]]) -> str:
    return next((str(a.error or b.error) for a, b in both if a.error or b.error), "")


def _first_difference(both: Sequence[tuple[Completion, Completion]]) -> str:
    for a, b in both:
        if a.text != b.text:
            start = len(os.path.commonprefix([a.text, b.text]))
            parts = [repr(text[start : start + 20]) for text in (a.text, b.text)]
            return f"{a.key[:8]} from character {start}: {' and '.join(parts)}"
    return ""
