"""Measure the embedded base model: `python -m recipes.tiny_base.measure models/tiny-base`.

Exact descriptions by family, sums right, lists looked up without a fault, lines checked right (the
first false line found, or none), and problems right before any fine-tuning on problems.
Figures come from the `eval` side of the content split, so nothing measured was trained on.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import defaultdict
from pathlib import Path

import polars as pl

from mathse.answers import check_rows
from mathse.core.images import ImageStore, write_images
from mathse.engines.protocol import Request, SamplingParams, complete_all
from mathse.engines.transformers_engine import TransformersEngine
from mathse.evaluation.accuracy import share_with_interval
from mathse.figures.canary import DESCRIBE, SUMS, SUMS_AT_ONCE, random_sum
from mathse.figures.catalogue import FAMILIES, draw_figure, stream
from mathse.figures.source import image_row, rows_of
from mathse.prompts import Message, solve_messages
from recipes.tiny_base.tasks import LONG_LISTS, check_sample, lookup_sample

GREEDY = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=160, seed=0)


def prompt(text: str, images: int) -> list[Message]:
    """Return one user message."""
    return [
        {"role": "user", "content": [{"type": "image"}] * images + [{"type": "text", "text": text}]}
    ]


def measure(
    model: str, work: Path, *, per_family: int, sums: int, problems: int, seed: int
) -> dict[str, object]:
    """Return the model's skills, each share with its n and 95% interval."""
    rng = random.Random(f"{seed}/measure")
    wanted: list[tuple[str, str, Request]] = []
    images = []
    # For each family, figures to describe, and lines about them to check.
    for name in FAMILIES:
        for number in range(per_family):
            figure = draw_figure(rng, name, rng.choice((1, 2)), wanted_side="eval")
            image = image_row(figure.png)
            images.append(image)
            request = Request(
                f"{name}/{number}", prompt(DESCRIBE, 1), (image["image_id"],), sampling=GREEDY
            )  # type: ignore[arg-type]
            wanted.append((name, figure.description, request))
            sample = check_sample(figure, rng)
            request = Request(
                f"check/{name}/{number}",
                prompt(sample.prompt, 1),
                (image["image_id"],),
                sampling=GREEDY,
            )  # type: ignore[arg-type]
            wanted.append(("checks", sample.answer, request))
    # Without a picture: sums, and entries to look up in long lists.
    for number in range(sums // SUMS_AT_ONCE):
        drawn_sums = [random_sum(rng) for _ in range(SUMS_AT_ONCE)]
        asked_sums = " ".join(f"{question}=?" for question, _ in drawn_sums)
        request = Request(f"sum/{number}", prompt(SUMS.format(text=asked_sums), 0), sampling=GREEDY)
        wanted.append(
            ("sums", " ".join(f"{question}={result}" for question, result in drawn_sums), request)
        )
    for number in range(sums):
        listed = lookup_sample(rng, LONG_LISTS)
        wanted.append(
            (
                "lookups",
                listed.answer,
                Request(f"lookup/{number}", prompt(listed.prompt, 0), sampling=GREEDY),
            )
        )
    # Problems, as the student gets them.
    asked = []
    drawn = stream("eval", seed + 1)
    for _ in range(problems):
        problem, image = rows_of(next(drawn), "eval")
        images.append(image)
        asked.append(problem)
    store = work / "measure-images"
    write_images(pl.DataFrame(images).unique("image_id", maintain_order=True), store)
    engine = TransformersEngine(model, images=ImageStore(store), batch_size=128)
    done = complete_all(engine, [request for _, _, request in wanted])
    # Right or wrong: each sum, the first line called wrong, or the whole text.
    hits: dict[str, list[bool]] = defaultdict(list)
    for (group, text, _), completion in zip(wanted, done, strict=True):
        if group == "sums":
            given = completion.text.split()
            hits[group] += [given[i : i + 1] == [sum_] for i, sum_ in enumerate(text.split())]
        elif group == "checks":
            hits[group].append(first_wrong(completion.text) == first_wrong(text))
        else:
            hits[group].append(completion.text.strip() == text)
    # Problems are scored by the answer check.
    requests = [
        Request(
            p["problem_id"],
            solve_messages(p["question"], p["choices"], 1),
            tuple(p["image_ids"]),
            sampling=GREEDY,
        )
        for p in asked
    ]
    answers = pl.DataFrame(
        {
            "gold": [p["answer"] for p in asked],
            "response": [completion.text for completion in complete_all(engine, requests)],
            "answer_type": [p["answer_type"] for p in asked],
            "choices": [p["choices"] for p in asked],
        }
    )
    right = (check_rows(answers)["state"] == "match").sum()
    described = [hit for name in FAMILIES for hit in hits[name]]
    return {
        "descriptions": share_with_interval(sum(described), len(described)),
        "by_family": {
            name: share_with_interval(sum(hits[name]), len(hits[name])) for name in FAMILIES
        },
        "checks": share_with_interval(sum(hits["checks"]), len(hits["checks"])),
        "sums": share_with_interval(sum(hits["sums"]), len(hits["sums"])),
        "lookups": share_with_interval(sum(hits["lookups"]), len(hits["lookups"])),
        "problems": share_with_interval(int(right), len(asked)),
    }


def first_wrong(text: str) -> tuple[int, bool]:
    """Return how many lines a check goes through, and whether it calls the last one wrong."""
    words = re.findall(r" (right|wrong)(?=, \d+\. |$)", text)
    return len(words), words[-1:] == ["wrong"]


def main() -> None:
    """Print the skills as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--work", type=Path, default=Path(".mathse/tiny-base"))
    parser.add_argument("--per-family", type=int, default=100)
    parser.add_argument("--sums", type=int, default=500)
    parser.add_argument("--problems", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sizes = {"per_family": args.per_family, "sums": args.sums, "problems": args.problems}
    skills = measure(args.model, args.work, **sizes, seed=args.seed)
    print(json.dumps(skills, indent=1))


if __name__ == "__main__":
    main()
