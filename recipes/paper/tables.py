"""Write the tables of docs/paper-mini.md from the arms' files: `python -m recipes.paper.tables`.

An arm that has not been run yet is left out, and so is a comparison with it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from mathse.evaluation.paired import compare
from recipes.documents.results import write
from recipes.paper.arms import ARMS, CONTROLS
from recipes.paper.comparison_tables import claim_rows, control_rows, kind_rows
from recipes.paper.orm_tables import attack_rows, audit_rows, best_rows, measured_runs, orm_rows
from recipes.paper.runs import SPLITS, Run, Runs, last_round, mean_of
from recipes.paper.text_tables import (
    equal_share,
    fault_rows,
    feedback_rows,
    teacher_text_rows,
    wrong_share,
)
from schemas.enums import ERROR_KINDS


def shown_models(runs: Runs) -> Iterator[tuple[str, str, str]]:
    """Yield arm, model and what it is: each arm's last model and each control."""
    for arm in ARMS:
        found = runs.by_arm.get(arm.name)
        if not found:
            continue
        if arm.name == "main":
            yield from (("main", "base", "the base"), ("main", "r0", "distilled"))
        yield arm.name, "last", arm.about
        yield from ((arm.name, name, "") for name in next(iter(found.values()))["controls"])


def arm_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield a row for each arm's last model and each control."""
    for arm, model, about in shown_models(runs):
        yield arm_row(runs, arm, model, about, runs.seeds((arm, model)))


def answer_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the accuracies of the same models on open problems and on those with choices, apart."""
    for arm, model, _ in shown_models(runs):
        seeds = runs.seeds((arm, model))
        kinds = ((split, has) for split in SPLITS for has in (False, True))
        shares = [runs.accuracy(arm, model, split, seeds, choices=has) for split, has in kinds]
        yield [arm if model == "last" else f"{arm}: {model}", *shares]


def arm_row(runs: Runs, arm: str, model: str, about: str, seeds: list[int]) -> list[Any]:
    """Return model, what it is, seeds, accuracies and, of an arm, what its rounds accepted."""
    shares = [runs.accuracy(arm, model, split, seeds) for split in SPLITS]
    counts: list[float | None] = [None] * 5
    if model in CONTROLS:
        counts[0] = statistics.mean(
            runs.by_arm[arm][seed]["controls"][model]["rows"] for seed in seeds
        )
    if model == "last":
        some = [runs.by_arm[arm][seed] for seed in seeds]
        counts = [
            statistics.mean(run["merge"][last_round(run)]["rows"] for run in some),
            *(wrong_share(some, origin) for origin in ("student", "reflection")),
            equal_share(some),
            statistics.mean(response_tokens(run) for run in some) / 1000,
        ]
    label = arm if model == "last" else f"{arm}: {model}"
    gold = statistics.mean(gold_used(runs.by_arm[arm][seed], model) for seed in seeds)
    return [label, about, len(seeds), *shares, gold, *counts]


SHORT = (
    {
        ("main", "r0"): "r0: distilled",
        ("main", "last"): "two rounds; gold answers accept",
        ("no_reflection", "last"): "two rounds without reflection; gold answers accept",
        ("accept_orm", "last"): "two rounds; an ORM of the paper's form alone accepts",
        ("likelihood", "last"): "two rounds; the likelihood ORM alone accepts",
        ("algorithm_1_likelihood", "last"): "Algorithm 1: that ORM, reflection in a last round",
        ("main", "control"): "no loop: r0's rows, the steps of two rounds",
        ("main", "control_teacher"): "no loop: r0's rows, as many new ones of the teacher",
        ("main", "control_gold"): "no loop: r0's rows, the teacher's of the ORM's problems",
    },
    {
        ("more_rounds", "last"): "four rounds; gold answers accept",
        ("more_rounds", "control"): "no loop: r0's rows, the steps of four rounds",
        ("more_rounds", "control_teacher"): "no loop: r0's rows, as many new ones of the teacher",
    },
)
"""The README's table: models that are compared with each other, and what it calls them."""


def short_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield for the README what a loop brings and what it is to be compared with.

    The models of a part are shown with the seeds that they share: seeds differ.
    """
    for models in SHORT:
        known = [model for model in models if runs.seeds(model)]
        shared = set(runs.seeds(*known)) if known else set()
        for model, label in models.items():
            if seeds := [seed for seed in runs.seeds(model) if seed in shared]:
                yield [label, *arm_row(runs, *model, "", seeds)[2:6]]


def gold_used(run: Run, model: str) -> int:
    """Return how many problems' gold answers decided what a model learned, r0's included.

    A round's: those of r0, those annotated for the ORM (also where it only orders rows), and all
    that were tried so far; if the ORM alone accepts, only those of earlier rounds, and only if the
    ORM learned from them. Of rounds that try nothing: r0's alone. A control's: those of r0, and
    those that the teacher was asked for; of `control_same` those of the loop. A problem that counts
    for two of these counts twice.
    """
    first: int = run["gold"]["r0"]
    if model in ("base", "r0", "control"):
        return 0 if model == "base" else first
    if model == "control_same":  # its problems are those that the loop solved
        return gold_used(run, "last")
    if model in run["controls"]:
        return first + int(run["controls"][model]["tried"])
    name = last_round(run) if model == "last" else model
    tried = tried_so_far(run, name)
    if not tried:
        return first
    if run["accept"] == "orm":  # an ORM that learns from the rounds learned from those before
        before = [*run["merge"]][: [*run["merge"]].index(name)]
        tried = tried_so_far(run, before[-1]) if run["refresh"] == "round" and before else 0
    return first + run["gold"]["orm"] + tried


def tried_so_far(run: Run, name: str) -> int:
    """Return how many training problems were tried up to a round."""
    states = run["merge"][name]["problems"]
    return sum(states.get(state, 0) for state in ("accepted", "reflected", "hard"))


def response_tokens(run: Run) -> int:
    """Return the tokens that student and reflector wrote in all rounds."""
    parts = [part for texts in run["texts"].values() for part in texts.values()]
    return sum(part["response_tokens"] for part in parts)


def round_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield a row for each round: accuracy, problems, lengths; later rounds have fewer seeds."""
    shown = set[str]()
    for arm in ("more_rounds" if "more_rounds" in runs.by_arm else "main", "six_rounds"):
        found = runs.by_arm.get(arm, {})
        for name in next(iter(found.values()), {"texts": {}})["texts"]:
            if name not in shown:
                shown.add(name)
                yield [name, len(found), *round_row(runs, arm, name)]


def round_row(runs: Runs, arm: str, name: str) -> Iterator[Any]:
    """Yield what `round_rows` says of one round of an arm."""
    found = runs.by_arm[arm]
    for split in SPLITS:
        yield runs.accuracy(arm, name, split, [*found])
    yield statistics.mean(run["merge"][name]["rows"] for run in found.values())
    for state in ("accepted", "reflected"):
        yield statistics.mean(run["merge"][name]["problems"][state] for run in found.values())
    for origin in ("student", "reflection"):
        texts = [run["texts"][name][origin] for run in found.values()]
        yield mean_of([one["accepted_mean_chars"] for one in texts])
    for split in SPLITS:
        yield statistics.mean(run["eval_chars"][name][split] for run in found.values())


def transition_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield the problems of eval by right or wrong before and after each round, seeds pooled."""
    for arm, before, after in (
        ("main", "base", "r0"), ("main", "r0", "r1"), ("main", "r1", "r2"),
        ("more_rounds", "r2", "r3"), ("more_rounds", "r3", "r4"),
        ("six_rounds", "r4", "r5"), ("six_rounds", "r5", "r6"),
    ):  # fmt: skip
        seeds = runs.seeds((arm, before), (arm, after))
        if not seeds:
            continue
        found = compare(*(runs.graded(arm, name, "eval", seeds) for name in (before, after)))
        counts = (found.both, found.neither, found.gained, found.lost)
        yield [f"{before} → {after}", len(seeds), *counts]


def cost_rows(runs: Runs) -> Iterator[list[Any]]:
    """Yield what the measured arms would take with all seeds, from the last seed's time of each.

    Later seeds were run with later, faster code.
    """
    minutes = []
    for arm in ARMS:
        found = runs.by_arm.get(arm.name, {})
        times = [run["seconds"] / 60 for _, run in sorted(found.items()) if run["seconds"]]
        minutes += [(times[-1], arm.seeds)] if times else []
    hours = sum(one * seeds for one, seeds in minutes) / 2 / 60
    yield [f"{len(minutes)} of {len(ARMS)}", sum(one for one, _ in minutes), hours]


def contents(runs: Runs) -> dict[str, dict[str, Any]]:
    """Return the content of each results file of the experiments, by its name."""
    all_runs = [run for found in runs.by_arm.values() for run in found.values()]
    # Where the numbers come from, the same for each table.
    about = {
        "source": "written from results/paper/runs/*.json by `python -m recipes.paper.tables`",
        "command": "make paper",
        "commit": sorted({run["commit"] for run in all_runs}),
        "seed": sorted({run["seed"] for run in all_runs}),
        "date": max(run["date"] for run in all_runs),
        "machine": ", ".join(sorted({run["machine"] for run in all_runs})),
    }
    # Columns with the form of their numbers, and what yields the rows from the runs.
    tables: dict[str, tuple[str, Callable[[Runs], Iterator[list[Any]]]]] = {
        "claims": (
            "claim:, models:, paper:, split:, points:+.1f, p:p, n:,, by seed:, over seeds:+.1f, "
            "says:",
            claim_rows,
        ),
        "over-control": (
            "arm:, seeds:, eval:+.1f, eval over seeds:+.1f, eval_hard:+.1f, "
            "eval_hard over seeds:+.1f",
            control_rows,
        ),
        "arms": (
            "arm:, what:, seeds:, eval in %:.1f, eval_hard in %:.1f, gold used:,.0f, "
            "training rows:,.0f, student's accepted wrong in %:.1f, "
            "accepted reflections wrong in %:.1f, equal the usual solution in %:.1f, "
            "thousand tokens:,.0f",
            arm_rows,
        ),
        "arms-answers": (
            "arm:, eval open in %:.1f, eval choices in %:.1f, eval_hard open in %:.1f, "
            "eval_hard choices in %:.1f",
            answer_rows,
        ),
        "answers": (
            "models:, split:, problems:, seeds:, points:+.1f, p:p, n:,, by seed:",
            kind_rows,
        ),
        "short": (
            "with a teacher that errs:, seeds:, eval in %:.1f, eval_hard in %:.1f, gold used:,.0f",
            short_rows,
        ),
        "rounds": (
            "round:, seeds:, eval in %:.1f, eval_hard in %:.1f, training rows:,.0f, "
            "solved by the student so far:,.0f, by reflection so far:,.0f, "
            "characters of the student's accepted texts:.0f, of the reflections:.0f, "
            "of the answers on eval:.0f, on eval_hard:.0f",
            round_rows,
        ),
        "orm": (
            "form:, seeds:, rows:, n:,, right in %:.1f, right passed in %:.1f, "
            "wrong passed in %:.1f, faulty step exact in %:.1f, ROC AUC × 100:.1f",
            orm_rows,
        ),
        "attacks": (
            "form:, seeds:, right ones passed in %:.1f, with another problem's last line in %:.1f, "
            "wrong ones passed in %:.1f, that claim to be correct in %:.1f, "
            "with a pasted verdict in %:.1f, right ones with a white picture in %:.1f, "
            "wrong ones with a white picture in %:.1f, "
            "ROC AUC × 100 with a white picture:.1f, Brier × 100:.1f, ECE × 100:.1f",
            attack_rows,
        ),
        "transitions": (
            "models:, seeds:, right in both:,, wrong in both:,, gained:,, lost:,",
            transition_rows,
        ),
        "feedback": (
            "feedback:, seeds:, reflections:,, accepted in %:.1f, "
            "right by the step verifier in %:.1f",
            feedback_rows,
        ),
        "teacher-texts": (
            "arm:, of:, seeds:, training rows:,, with a known solution of the teacher in %:.1f, "
            "equal to its text in %:.1f, of the known ones in %:.1f",
            teacher_text_rows,
        ),
        "faults": (
            f"round:, of:, wrong:,, {', '.join(f'{kind} in %:.1f' for kind in ERROR_KINDS)}",
            fault_rows,
        ),
        "cost": (
            "arms:, minutes of all together (one seed; one core):.0f, "
            "hours of all seeds on two cores:.1f",
            cost_rows,
        ),
        "audits": (
            "arm:, round:, of:, n:,, right passed in %:.1f, wrong passed in %:.1f, "
            "step exact in %:.1f, accepted wrong:,, of these with the gold answer:,",
            audit_rows,
        ),
    }
    found = {name: (text, [*rows(runs)]) for name, (text, rows) in tables.items()}
    written = {
        f"paper/{name}": {**about, "columns": columns(text), "rows": rows}
        for name, (text, rows) in found.items()
        if rows
    }
    # One that comes from measurements of its own, with models of some of the runs.
    if rows := [*best_rows()]:
        used = [runs.by_arm[arm][seed] for arm, seed in measured_runs("best_of_n")]
        text = "arm:, rule:, problems:,, 4 samples in %:.1f, 8 samples in %:.1f"
        written["paper/best-of-n"] = {
            **about,
            "source": "written from results/paper/best_of_n/*.json by "
            "`python -m recipes.paper.tables`",
            "commit": sorted({run["commit"] for run in used}),
            "seed": sorted({run["seed"] for run in used}),
            "columns": columns(text),
            "rows": rows,
        }
    return written


def columns(text: str, between: str = ", ") -> list[dict[str, str]]:
    """Return columns from "name:format, …"; a format may be empty, or "," itself."""
    found = [part.partition(":") for part in text.split(between)]
    return [{"name": name} | ({"format": form} if form else {}) for name, _, form in found]


def main() -> None:
    """Write the results files, if any arm has been run."""
    runs = Runs.load()
    for name, content in contents(runs).items() if runs.by_arm else ():
        write(name, content)


if __name__ == "__main__":
    main()
