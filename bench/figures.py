"""How wide the built-in problems are, and whether the step verifier finds planted faults.

    python -m bench.figures [--facts 20000] [--solutions 120]

By family: distinct facts of each level among so many drawn, up to symmetries; routes of a question
and wordings of its solutions; then solutions in random wordings with one number changed, and what
the verifier says of them. The result goes to `bench/results/figures.json`.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from math import prod
from statistics import mean
from typing import Annotated, Any

import typer

from bench.common import save
from mathse.core.progress import track
from mathse.figures.catalogue import FAMILIES, UNSEEN, family, solution
from mathse.figures.items import Calc, Family
from mathse.figures.verifier import Key, Unreadable, verify

LEVELS = (1, 2, 3)
# `12` in `So 12+3=15.`, not the `1` of `1. `
_NUMBER = re.compile(r"(?<!^)\d+")


def width(kind: Family, draws: int) -> dict[str, Any]:
    """Return distinct facts by level, and routes and wordings of a question on average."""
    rng = random.Random(f"width {kind.name}")
    levels = LEVELS if kind.name in FAMILIES else LEVELS[-1:]
    facts = {
        str(level): len({json.dumps(kind.canonical(kind.facts(rng, level))) for _ in range(draws)})
        for level in levels
    }
    routes, wordings = [], []
    for _ in range(200):
        drawn = kind.facts(rng, rng.choice(levels))
        found = kind.routes(kind.ask(drawn, rng), kind.shown(drawn))
        routes.append(len(found))
        wordings.append(
            sum(
                prod(
                    len(s.wordings if isinstance(s, Calc) else kind.reading(s.reading).wordings)
                    for s in route.steps
                )
                for route in found
            )
        )
    return {"facts": facts, "routes": round(mean(routes), 1), "wordings": round(mean(wordings))}


def faults(kind: Family, count: int) -> Counter[str]:
    """Change one number in each of so many right solutions; count what the verifier says.

    Returns:
        Counts of: right_refused (a right solution is called wrong), found (at the changed line),
        earlier and later (at another line), missed (called right), unreadable.
    """
    rng = random.Random(f"faults {kind.name}")
    levels = LEVELS if kind.name in FAMILIES else LEVELS[-1:]
    counts: Counter[str] = Counter()
    for _ in range(count):
        facts = kind.facts(rng, rng.choice(levels))
        question = kind.ask(facts, rng)
        worked = solution(kind, question, facts, (), rng)
        key = Key(kind, question, kind.shown(facts), (), worked.answer)
        lines = worked.lines()
        counts["right_refused"] += verify(key, "\n".join(lines)) is not None
        changed = rng.choice([n for n, line in enumerate(lines) if _NUMBER.search(line)])
        lines[changed] = _change(lines[changed], rng)
        counts["solutions"] += 1
        try:
            fault = verify(key, "\n".join(lines))
        except Unreadable:
            counts["unreadable"] += 1
            continue
        if fault is None:
            counts["missed"] += 1
        else:
            off = fault.step - changed - 1
            counts["found" if off == 0 else "earlier" if off < 0 else "later"] += 1
    return counts


def _change(line: str, rng: random.Random) -> str:
    found = rng.choice([*_NUMBER.finditer(line)])
    number = max(0, int(found.group()) + rng.choice((-10, -2, -1, 1, 2, 10)))
    number += number == int(found.group())
    return line[: found.start()] + str(number).zfill(len(found.group())) + line[found.end() :]


def main(
    facts: Annotated[int, typer.Option(help="facts drawn by family and level")] = 20_000,
    solutions: Annotated[int, typer.Option(help="solutions changed by family")] = 120,
) -> None:
    """Measure every family and write the result."""
    names = [*FAMILIES, *UNSEEN]
    families, total = {}, Counter[str]()
    for name in track(names, total=len(names), label="families", unit="families"):
        planted = faults(family(name), solutions)
        total += planted
        families[name] = {**width(family(name), facts), "planted": dict(planted)}
    save("figures", {"drawn": facts, "planted": dict(total), "families": families})
    print(json.dumps({"planted": dict(total), "families": families}, indent=1))


if __name__ == "__main__":
    typer.run(main)
