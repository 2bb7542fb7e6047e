"""Precision and recall of decontamination on copies planted among real problems.

    python -m tests.curation.planted [--problems N]

N problems of MATH-Vision and N of TabMWP's test split are held out. Among as many others of each,
which are trained on, copies of the held-out ones are planted: with the picture changed, with the
wording changed by rules too, without picture, with the choices in the question or the numbers in
words. Copies whose numbers were changed are other problems and must not be listed. Rewordings by
people or models are not covered, nor figures drawn again.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import typer

from bench.data import need
from mathse.core.ids import content_id
from mathse.core.params import load_params
from mathse.curation.contamination import find_matches
from mathse.curation.text_similarity import numbers
from tests.closure import ROOT
from tests.curation.pictures import CHANGES
from tests.curation.rewording import (
    reworded,
    with_choices_listed,
    with_numbers_in_words,
    with_other_numbers,
)

SCHEMA = {
    "problem_id": pl.String,
    "split": pl.String,
    "question": pl.String,
    "answer": pl.String,
    "choices": pl.List(pl.String),
    "image_ids": pl.List(pl.String),
}


@dataclass
class Planted:
    """Problems, their pictures, and what each planted copy is a copy of."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, tuple[str, str]] = field(default_factory=dict)  # problem_id → kind, original

    def add(self, split: str, question: str, row: dict[str, Any], picture: bytes | None) -> str:
        name = content_id(split, question, len(self.rows))
        ids = []
        if picture is not None:
            ids = [content_id(picture)]
            self.images[ids[0]] = picture
        self.rows.append(
            {
                "problem_id": name,
                "split": split,
                "question": question,
                "answer": row["answer"],
                "choices": row["choices"],
                "image_ids": ids,
            }
        )
        return name


def real_problems(folder: Path, split: str | None, seed: int) -> list[dict[str, Any]]:
    """Read question, answer, choices and picture of a data set's problems, shuffled."""
    file = folder / ("test.jsonl" if split is None else "problems.jsonl")
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    found = [
        {
            "question": row["question"],
            "answer": str(row["answer"]),
            "picture": (folder / row["image"]).read_bytes(),
            "choices": row.get("options") or row.get("choices") or [],
        }
        for row in rows
        if split in (None, row.get("split"))
    ]
    random.Random(seed).shuffle(found)
    return found


def plant(data: Path, count: int, *, seed: int = 0) -> Planted:
    """Split `count` problems of each data set; plant copies of the evaluated ones in train."""
    vision = real_problems(data / "math-v", None, seed)
    evaluated = [*vision[:count], *real_problems(data / "tabmwp", "test", seed)[:count]]
    others = [*vision[count : 2 * count], *real_problems(data / "tabmwp", "dev", seed)[:count]]
    world = Planted()
    for row in others:
        world.kinds[world.add("train", row["question"], row, row["picture"])] = ("other", "")
    changes = list(CHANGES.items())
    for index, row in enumerate(evaluated):
        original = world.add("eval", row["question"], row, row["picture"])
        name, change = changes[index % len(changes)]
        words, changed = (
            reworded(row["question"], index),
            with_other_numbers(row["question"], index),
        )
        copies = {f"picture: {name}": (row["question"], change(row["picture"]))}
        copies["picture and wording"] = (words, change(row["picture"]))
        if len(numbers(row["question"])) >= 3:
            copies["wording, no picture"] = (words, None)
        listed = [c for c in row["choices"] if c.strip() and "\n" not in c]
        if len(listed) == len(row["choices"]) > 1:
            copies["wording: choices in the question"] = (
                with_choices_listed(row["question"], listed, index),
                change(row["picture"]),
            )
        if (spelled := with_numbers_in_words(row["question"])) != row["question"]:
            copies["wording: numbers in words"] = (spelled, change(row["picture"]))
        if changed is not None:
            copies["other numbers"] = (
                reworded(changed, index),
                None if index % 2 else row["picture"],
            )
        for kind, (question, picture) in copies.items():
            bare = {**row, "choices": []} if "choices in" in kind else row
            world.kinds[world.add("train", question, bare, picture)] = (kind, original)
    return world


def measure(world: Planted) -> dict[str, tuple[int, int]]:
    """Return for each kind of training problem how many were listed, and how many there are.

    A copy counts as listed with its original only; any other listed pair counts as "wrong pair".
    """
    settings = load_params(ROOT / "params.yaml").decontaminate
    rows = pl.DataFrame(world.rows, schema=SCHEMA)
    matches = find_matches(rows, world.images.__getitem__, settings, evaluated=["eval"])
    listed: Counter[str] = Counter()
    for trained, evaluated in matches.select("problem_id", "other_id").rows():
        kind, original = world.kinds[trained]
        listed[kind if original in ("", evaluated) else "wrong pair"] += 1
    total = Counter(kind for kind, _ in world.kinds.values())
    return {kind: (listed[kind], total[kind]) for kind in sorted({*total, *listed})}


def summary(found: dict[str, tuple[int, int]]) -> tuple[float, float]:
    """Return precision and recall."""
    right = sum(
        listed for kind, (listed, _) in found.items() if kind.startswith(("picture", "wording"))
    )
    planted = sum(
        total for kind, (_, total) in found.items() if kind.startswith(("picture", "wording"))
    )
    return right / max(1, sum(listed for listed, _ in found.values())), right / planted


def main(problems: int = 100) -> None:
    """Print the figures."""
    found = measure(plant(need("math-v").parent, problems))
    for kind, (listed, total) in found.items():
        typer.echo(f"{kind:42s} {listed:4d} of {total:4d}")
    precision, recall = summary(found)
    typer.echo(f"precision {precision:.3f}  recall {recall:.3f}")


if __name__ == "__main__":
    typer.run(main)
