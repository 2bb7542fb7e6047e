"""The experiments of the paper's claims: arms, runs and tables."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import typer

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.profiles import apply_profile
from recipes.paper import comparison_tables, keep, orm_tables, run, tables, text_tables
from recipes.paper.arms import ARMS, Arm
from recipes.paper.claims import CLAIMS
from recipes.paper.orm_tables import names_one
from recipes.paper.runs import SPLITS, Runs
from recipes.paper.verdicts import Spread, student

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.name)
def test_params_of_an_arm_are_valid(arm: Arm, tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    for name in ("params.yaml", "profiles/paper-mini.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    apply_profile(tmp_path, "paper-mini")
    before = load_params(tmp_path / "params.yaml")
    run.apply_arm(tmp_path, arm, 2)
    params = load_params(tmp_path / "params.yaml")
    assert params.seed == 2 and params.model_copy(update={"seed": before.seed}) != before
    rounds = arm.changes.get("rounds", before.model_dump()["rounds"])
    assert [*params.rounds] == [*rounds]


def test_claims_compare_models_that_some_arm_makes() -> None:
    made = {(arm.name, "last") for arm in ARMS}
    made |= {("main", name) for name in ("base", "r0")}
    made |= {(arm.name, name) for arm in ARMS for name in arm.changes.get("controls", ())}
    made |= {(arm.name, name) for arm in ARMS for name in arm.changes.get("rounds", ("r1", "r2"))}
    for claim in CLAIMS:
        assert {claim.before, claim.after} <= made
        assert claim.before != claim.after


def test_each_arm_is_compared_with_another() -> None:
    used = {arm for claim in CLAIMS for arm, _ in (claim.before, claim.after)}
    assert used == {arm.name for arm in ARMS}


def a_run(arm: str, seed: int, **models: str) -> dict[str, Any]:
    """Return a run whose models answered as these bits say, on both splits."""
    size = len(next(iter(models.values())))
    both = {name: {split: bits for split in SPLITS} for name, bits in models.items()}
    return {
        "arm": arm,
        "seed": seed,
        "models": both,
        "problems": {split: f"{size} problems" for split in SPLITS},
        "clusters": {split: list(range(size)) for split in SPLITS},
        "merge": {"r1": {"rows": 10, "new": {"student": 8}}, "r2": {"rows": 20, "new": {}}},
        "audit": {"r1": {"student": {"n": 9, "accepted_wrong": 2}}},
        "texts": {"r1": {"student": {"accepted": 5}, "reflection": {"accepted": 0}}},
        "controls": {},
    }


def of(*runs: dict[str, Any]) -> Runs:
    by_arm: dict[str, dict[int, Any]] = {}
    for one in runs:
        by_arm.setdefault(one["arm"], {})[one["seed"]] = one
    return Runs(by_arm)


REFLECTION = next(claim for claim in CLAIMS if claim.before == ("no_reflection", "last"))


@pytest.mark.parametrize(
    ("without", "main", "says"),
    [("0" * 90, "1" * 90, "holds"), ("1" * 90, "0" * 90, "does not hold"),
     ("01" * 45, "10" * 45, "cannot tell")],
)  # fmt: skip
def test_claim_says_what_the_intervals_say(without: str, main: str, says: str) -> None:
    for seeds, more in ((2, " so far"), (3, "")):
        runs = of(
            *(a_run("main", seed, r2=main) for seed in range(seeds)),
            *(a_run("no_reflection", seed, r2=without) for seed in range(seeds)),
        )
        rows = [row for row in comparison_tables.claim_rows(runs) if row[0] == REFLECTION.text]
        assert [row[-1] for row in rows] == [says if says == "cannot tell" else says + more] * 2


def test_mistakes_of_r1_are_compared_in_the_seeds_that_arms_share() -> None:
    def reflected(arm: str, seed: int, solved: int) -> dict[str, Any]:
        one = a_run(arm, seed, r2="01")
        one["texts"]["r1"]["reflection"] = {"n": 50, "accepted": 2 * solved}
        one["audit"]["r1"]["reflection"] = {"right": solved}
        return one

    runs = of(
        *(reflected("more_rounds", seed, 5) for seed in (2, 3, 4)),
        *(reflected("more_rounds_solve_again", seed, 10) for seed in (3, 4)),
    )
    one, other = text_tables.feedback_rows(runs)
    assert one == ["the ORM's", "3, 4", 100, 20.0, 10.0]
    assert other[1:] == ["3, 4", 100, 40.0, 20.0]


def test_rows_that_are_the_teacher_s_text_are_counted(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    params = load_params(ROOT / "params.yaml")
    params = params.model_copy(update={"controls": ["control_teacher"]})

    def put(file: Path, *rows: tuple[str, str, str]) -> None:
        file.parent.mkdir(parents=True)
        names = ["problem_id", "response", "origin"]
        pl.DataFrame(rows, schema=names, orient="row").write_parquet(file)

    put(layout.distill.trajectories, ("p0", "A", "teacher"))
    put(layout.round("control_teacher").train, ("p1", "B", "teacher"), ("p2", "C", "teacher"))
    put(
        layout.round(params.last_round).train,
        ("p0", "A", "teacher"),
        ("p1", "B", "student"),
        ("p1", "C", "student"),  # the teacher's text, of another problem
        ("p3", "B", "student"),  # a problem that it did not solve
        ("p2", "D", "reflection"),
    )
    found = keep.teacher_texts(layout, params)
    student, reflection = (found[name] for name in ("student", "reflection"))
    assert student == {"rows": 3, "known": 2, "equal": 1}
    assert reflection == {"rows": 1, "known": 1, "equal": 0}
    runs = of(a_run("main", 0, r2="01") | {"teacher_texts": found}, a_run("main", 1, r2="01"))
    rows = [*text_tables.teacher_text_rows(runs)]
    assert rows[0][:4] == ["main", "student", 1, 3]
    assert rows[0][4:] == pytest.approx([200 / 3, 100 / 3, 50.0])
    assert rows[1] == ["main", "reflection", 1, 1, 100.0, 0.0, 0.0]
    without = params.model_copy(update={"controls": []})
    assert keep.teacher_texts(layout, without) == {}


def test_the_length_of_answers_is_that_of_each_split(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    rows = [("eval", "four"), ("eval", "sixsix"), ("eval_hard", "one")]
    file = layout.eval("r1").predictions
    file.parent.mkdir(parents=True)
    pl.DataFrame(rows, schema=["split", "response"], orient="row").write_parquet(file)
    assert keep.mean_chars(layout, "r1") == {"eval": 5.0, "eval_hard": 3.0}


def test_seeds_that_differ_leave_a_claim_open() -> None:
    better = ["0" * 90, "0" * 85 + "1" * 5, "1" * 90]  # in one seed much, in the others hardly
    runs = of(
        *(a_run("main", seed, r2=bits) for seed, bits in enumerate(better)),
        *(a_run("no_reflection", seed, r2="0" * 90) for seed in range(3)),
    )
    row = next(row for row in comparison_tables.claim_rows(runs) if row[0] == REFLECTION.text)
    over_problems, over_seeds = row[4], row[-2]
    assert over_problems[1] > 0 > over_seeds[1] and row[-1] == "cannot tell"
    assert over_seeds[0] == pytest.approx((0 + 100 * 5 / 90 + 100) / 3)


def test_the_spread_of_seeds_is_pooled_over_comparisons() -> None:
    a, b, c, d, e, f = (("main", name) for name in "abcdef")
    spread = Spread.of([((a, b), [1.0, 3.0]), ((a, c), [5.0]), ((d, e), [0.0, 0.0, 3.0])])
    assert spread.freedom == 3  # one and two; a single seed says nothing
    assert spread.deviation == pytest.approx(((2 + 6) / 3) ** 0.5)
    mean, low, high = spread.interval([4.0, 6.0])
    half = student(3) * spread.deviation / 2**0.5
    assert (mean, low, high) == (5.0, pytest.approx(5 - half), pytest.approx(5 + half))


def test_comparisons_that_share_a_model_say_less_together() -> None:
    last, *others = (("main", name) for name in "abcdef")
    points = [1.0, 2.0, 4.0]
    alone = Spread.of([((last, others[0]), points)])
    shared = Spread.of([((last, other), points) for other in others])
    assert alone.freedom == 2 and shared.freedom == pytest.approx(5)  # ten, were they independent
    twice = Spread.of([((last, others[0]), points)] * 2)
    assert twice.freedom == 2


def test_students_quantile_is_that_of_the_tables() -> None:
    for freedom, known in ((2, 4.303), (3, 3.182), (5, 2.571), (30, 2.042), (120, 1.980)):
        assert student(freedom) == pytest.approx(known, abs=0.0005)


def test_a_student_that_names_none_has_chosen_nothing() -> None:
    def run(unclear: int) -> dict[str, Any]:
        one = {"selection": {"asked": 9, "unclear": unclear}}
        return {"best_of": {"4": one, "8": one}}

    assert names_one(run(3)) and not names_one(run(9))


def test_seeds_are_pooled_and_shown_apart() -> None:
    runs = of(
        *(a_run("no_reflection", seed, r2="0" * 40) for seed in range(3)),
        a_run("main", 0, r2="1" * 40),
        a_run("main", 1, r2="0" * 40),  # seed 2 of main was not run
    )
    found = runs.contrast(REFLECTION, "eval")
    assert found is not None
    pooled, single = found
    assert (pooled.n, pooled.difference, single) == (80, 0.5, [100.0, 0.0])


def test_claim_without_runs_is_left_out() -> None:
    assert [*comparison_tables.claim_rows(of(a_run("main", 0, r2="1")))] == []


def test_each_arm_is_compared_with_as_many_steps_on_r0_s_rows() -> None:
    runs = of(
        *(a_run("main", seed, r2="1" * 40, control="0" * 40, r0="0" * 40) for seed in (0, 1)),
        *(a_run("no_reflection", seed, r2="01" * 20) for seed in (0, 1)),
        *(a_run("more_rounds", seed, r2="0" * 40, control="1" * 40) for seed in (0, 1)),
    )
    rows = {row[0]: row[1:] for row in comparison_tables.control_rows(runs)}
    assert {arm: (row[0], row[1][0], row[3][0]) for arm, row in rows.items()} == {
        "main": (2, 100.0, 100.0),
        "no_reflection": (2, 50.0, 50.0),
        "more_rounds": (2, -100.0, -100.0),
    }


@pytest.mark.parametrize(
    ("accept", "model", "used"),
    [
        ("answer", "base", 0),
        ("answer", "r0", 10),
        ("answer", "control", 10),
        ("answer", "control_teacher", 10 + 40),  # those that the teacher was asked for
        ("answer", "last", 10 + 20 + 1 + 2 + 3),
        ("answer", "control_same", 10 + 20 + 1 + 2 + 3),  # it has the problems of the loop
        ("orm", "last", 10 + 20),
    ],
)
def test_gold_that_decided_what_a_model_learned(accept: str, model: str, used: int) -> None:
    run = a_run("main", 0, r2="1") | {"gold": {"r0": 10, "orm": 20}, "accept": accept}
    run["refresh"] = "never"
    run["controls"] = {name: {"tried": 40} for name in ("control_teacher", "control_same")}
    states = {"accepted": 1, "reflected": 2, "hard": 3, "remaining": 99}
    run["merge"]["r2"]["problems"] = states
    assert tables.gold_used(run, model) == used


def test_gold_of_an_orm_that_learns_from_the_rounds() -> None:
    run = a_run("refresh", 0, r1="1", r2="1") | {"gold": {"r0": 10, "orm": 20}}
    run |= {"accept": "orm", "refresh": "round"}
    for name, solved in (("r1", 1), ("r2", 5)):
        run["merge"][name] = {"problems": {"accepted": solved, "reflected": 2, "hard": 3}}
    # No round was learned from before r1, and r1 before r2.
    assert tables.gold_used(run, "r1") == 10 + 20
    assert tables.gold_used(run, "r2") == 10 + 20 + 1 + 2 + 3


def test_rounds_that_try_nothing_use_the_gold_of_r0_alone() -> None:
    run = a_run("steps_alone", 0, r2="1") | {"gold": {"r0": 10, "orm": 20}}
    run |= {"accept": "answer", "refresh": "never"}
    run["merge"]["r2"]["problems"] = {"remaining": 99}
    assert tables.gold_used(run, "last") == 10


def test_share_of_wrong_ones_among_the_accepted() -> None:
    runs = [a_run("main", 0, r2="1")]
    assert tables.wrong_share(runs, "student") == 40.0
    assert tables.wrong_share(runs, "reflection") is None


def a_whole_run(arm: str, seed: int, rounds: int, *controls: str) -> dict[str, Any]:
    """Return a run with all that the tables read; the first control sees what the base does."""
    names = [f"r{number}" for number in range(1, rounds + 1)]
    bits = {"base": "0001", "r0": "0011", **dict.fromkeys(names, "0111")}
    run = a_run(arm, seed, **bits, **dict.fromkeys(controls, "0001"))
    share = {"value": 0.5}
    metrics = {"n": 4, "roc_auc": 0.5, "brier": 0.25, "ece": 0.1}
    kinds = ("overall_accuracy", "positive_accuracy", "wrong_passed", "error_step_exact")
    metrics |= dict.fromkeys(kinds, share)
    text = {"n": 6, "accepted": 2, "distinct": 2, "equal_solution": 0, "response_tokens": 60,
            "accepted_mean_chars": None if arm == "steps_alone" else 9.0}  # fmt: skip
    audit = {"n": 6, "right": 3, "right_passed": 0.5, "wrong_passed": 0.1, "step_exact": 0.5,
             "accepted_wrong": 1, "accepted_wrong_reasoning": 1}  # fmt: skip
    kinds_of = ("student", "reflection")
    run |= {
        "commit": "c", "date": "2026-01-01", "machine": "m", "seconds": 60, "accept": "answer",
        "refresh": "never", "gold": {"r0": 1, "orm": 2},
        "choices": {split: "0101" for split in SPLITS},
        "eval_chars": {name: dict.fromkeys(SPLITS, 7.0) for name in bits},
        "orm": {"orm": metrics, "student": metrics, "blank_picture": metrics,
                "attacks": {name: {"passed": share} for name in orm_tables.ATTACKS}},
        "merge": {name: {"rows": 5, "problems": {"accepted": 1, "reflected": 1, "hard": 1}}
                  for name in names},
        "texts": {name: dict.fromkeys(kinds_of, text) for name in names},
        "audit": {name: dict.fromkeys(kinds_of, audit) for name in names},
        "faults": {name: dict.fromkeys(kinds_of, {"vision": 2, "reasoning": 1}) for name in names},
        "teacher_texts": {kind: {"rows": 4, "known": 2, "equal": 1} for kind in kinds_of},
        "controls": {name: {"rows": 4, "tried": 2} for name in controls},
    }  # fmt: skip
    return run


@pytest.mark.parametrize("seeds", [1, 2])
def test_all_tables_are_made_of_runs_with_other_seeds_and_rounds(
    seeds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orm_tables, "MEASURED", tmp_path)  # nothing was measured beside
    three = ("control", "control_teacher", "control_gold")
    runs = of(
        *(a_whole_run("main", seed, 2, *three) for seed in range(seeds)),
        *(a_whole_run(arm, seed, 2) for arm in ("binary", "likelihood") for seed in range(seeds)),
        *(a_whole_run("steps_alone", seed, 2) for seed in range(seeds)),
        *(a_whole_run("more_rounds", seed, 4, *three[:2]) for seed in range(seeds)),
        a_whole_run("stepwise", 0, 2),
        a_whole_run("six_rounds", 0, 6, "control"),
    )
    found = tables.contents(runs)
    assert {"paper/claims", "paper/arms", "paper/rounds", "paper/orm", "paper/short"} <= set(found)
    for content in found.values():
        assert all(len(row) == len(content["columns"]) for row in content["rows"])
    named = ", ".join(map(str, range(seeds)))
    assert [(row[0], row[1]) for row in found["paper/orm"]["rows"][::2]] == [
        ("diagnostic", named), ("binary", named), ("likelihood", named), ("stepwise", "0"),
    ]  # fmt: skip
    # The first four rounds are those of the arm with more seeds.
    shown = [(row[0], row[1]) for row in found["paper/rounds"]["rows"]]
    assert shown == [*((f"r{at}", seeds) for at in (1, 2, 3, 4)), ("r5", 1), ("r6", 1)]
    loop = next(row for row in found["paper/claims"]["rows"]
                if row[1] == "main − main: control" and row[3] == "eval")  # fmt: skip
    assert loop[4][0] == 50.0 and (loop[8] is None) == (seeds == 1)


def test_models_of_different_problems_are_not_compared() -> None:
    other = a_run("no_reflection", 0, r2="0" * 9)
    other["problems"] = {split: "others" for split in SPLITS}
    assert of(a_run("main", 0, r2="1" * 9), other).contrast(REFLECTION, "eval") is None


def test_an_arm_waits_for_the_one_that_it_starts_from(monkeypatch: pytest.MonkeyPatch) -> None:
    active, done, most, lock = set[tuple[str, int]](), set[tuple[str, int]](), [0], threading.Lock()

    def run_arm(arm: Arm, seed: int, workers: int) -> None:
        with lock:
            assert arm.start == arm.name or (arm.start, seed) in done
            active.add((arm.name, seed))
            most[0] = max(most[0], len(active))
        threading.Event().wait(0.01)
        with lock:
            active.discard((arm.name, seed))
            done.add((arm.name, seed))

    monkeypatch.setattr(run, "run_arm", run_arm)
    monkeypatch.setattr(run, "measure", lambda arm, seed: None)
    tasks = [(arm, 0) for arm in ARMS]
    scheduler = run.Scheduler([*tasks], 2)
    threads = [threading.Thread(target=scheduler.work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == {(arm.name, seed) for arm, seed in tasks}
    # Two arms of one seed run at a time.
    assert scheduler.failed == [] and most == [2]


def test_a_failed_measurement_stops_no_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[str]()

    def measure(arm: Arm, seed: int) -> None:
        if arm is ARMS[0]:
            raise RuntimeError("no picture")

    monkeypatch.setattr(run, "run_arm", lambda arm, seed, workers: seen.append(arm.name))
    monkeypatch.setattr(run, "measure", measure)
    scheduler = run.Scheduler([(arm, 0) for arm in ARMS[:3]], 1)
    scheduler.work()
    assert seen == [arm.name for arm in ARMS[:3]]
    assert scheduler.failed == [f"{ARMS[0].name}, seed 0: no picture"]


def test_measurements_follow_their_arm_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[list[str]]()

    def bench(words: list[str], **_: Any) -> Any:
        calls.append(words[3:-2])
        Path(words[-1]).write_text("{}")
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr(run, "run_arm", lambda arm, seed, workers: None)
    monkeypatch.setattr(run, "WORK", tmp_path / "work")
    monkeypatch.setattr(run, "MEASURED", tmp_path)
    monkeypatch.setattr(run.subprocess, "run", bench)
    for arm in ("main", "no_reflection"):
        folder = tmp_path / "work" / "s1" / arm
        folder.mkdir(parents=True)
        (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    for _ in range(2):
        run.Scheduler([(arm, 1) for arm in ARMS[:2]], 1).work()
    best = ["bench.best_of_n", "r3", "--n", "4", "--n", "8", "--candidates", "3"]
    assert calls == [best]
    # What was measured with other params is measured again.
    monkeypatch.setattr(run, "params_digest", lambda arm, seed: "others")
    run.measure(ARMS[0], 1)
    assert calls == [best, best]
    [out] = tmp_path.glob("best_of_n/*.json")
    assert json.loads(out.read_text())["params"] == "others"
    assert {file.name for file in tmp_path.glob("*/*.json")} == {"main-s1.json"}


def test_failed_arm_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[str]()

    def run_arm(arm: Arm, seed: int, workers: int) -> None:
        seen.append(arm.name)
        if arm.name == ARMS[1].name:
            raise RuntimeError("disk full")

    monkeypatch.setattr(run, "run_arm", run_arm)
    monkeypatch.setattr(run, "measure", lambda arm, seed: None)
    scheduler = run.Scheduler([(arm, 0) for arm in ARMS[:3]], 1)
    scheduler.work()
    assert seen == [arm.name for arm in ARMS[:3]]
    assert scheduler.failed == [f"{ARMS[1].name}, seed 0: disk full"]


def test_arms_that_would_start_from_a_failed_one_are_not_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = list[tuple[str, int]]()

    def run_arm(arm: Arm, seed: int, workers: int) -> None:
        seen.append((arm.name, seed))
        if seed == 0:
            raise RuntimeError("disk full")

    monkeypatch.setattr(run, "run_arm", run_arm)
    monkeypatch.setattr(run, "measure", lambda arm, seed: None)
    run.Scheduler([(arm, seed) for arm in ARMS[:2] for seed in (0, 1)], 1).work()
    assert seen == [(ARMS[0].name, 0), (ARMS[0].name, 1), (ARMS[1].name, 1)]


def test_an_arm_starts_as_a_copy_of_what_it_shares_most_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_pipeline(root: Path, folder: Path, profile: str) -> None:
        (folder / ".dvc").mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(run, "WORK", tmp_path)
    monkeypatch.setattr(run, "copy_pipeline", copy_pipeline)
    monkeypatch.setattr(run, "apply_arm", lambda folder, arm, seed: None)
    for name in ("main", "likelihood"):
        (tmp_path / "s1" / name).mkdir(parents=True)
        (tmp_path / "s1" / name / "dvc.lock").write_text(name)
        (tmp_path / "s1" / name / ".mathse" / "journal").mkdir(parents=True)
    arms = {arm.name: arm for arm in ARMS}
    # That arm's results; main's where it was not run; what a kill left stays as it is.
    for name, start in (("refresh", "likelihood"), ("six_rounds", "main")):
        folder = run.prepare(arms[name], 1, 1)
        assert (folder / "dvc.lock").read_text() == start
    # A measurement may be writing to the other one's journal.
    assert not (tmp_path / "s1" / "six_rounds" / ".mathse" / "journal").exists()
    (tmp_path / "s1" / "six_rounds" / "dvc.lock").write_text("own")
    assert (run.prepare(arms["six_rounds"], 1, 1) / "dvc.lock").read_text() == "own"
    assert not (run.prepare(arms["main"], 2, 1) / "dvc.lock").exists()


def test_results_of_another_machine_have_their_start_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repro(folder: Path, targets: list[str]) -> tuple[float, list[str]]:
        made.append((folder.name, targets))
        return 1.0, []

    def prepare(arm: Arm, seed: int, workers: int) -> Path:
        folder = tmp_path / f"s{seed}" / arm.name
        folder.mkdir(parents=True)
        return folder

    made, ran = list[tuple[str, list[str]]](), list[tuple[str, int]]()
    monkeypatch.setattr(run, "WORK", tmp_path)
    monkeypatch.setattr(run, "RUNS", tmp_path)
    monkeypatch.setattr(run, "prepare", prepare)
    monkeypatch.setattr(run, "repro", repro)
    monkeypatch.setattr(run, "targets_of", lambda folder: ["eval@r3", "eval_control@control"])
    monkeypatch.setattr(run, "load_params", lambda file: SimpleNamespace(controls=["control"]))
    monkeypatch.setattr(run, "run_arm", lambda arm, seed, workers: ran.append((arm.name, seed)))
    main, other = ARMS[:2]
    # Seed 0: all has been run. Seed 1: the second arm not yet. Seed 2: neither.
    for arm, seed in ((main, 0), (other, 0), (main, 1)):
        text = json.dumps({"params": run.params_digest(arm, seed)})
        (tmp_path / f"{arm.name}-s{seed}.json").write_text(text)
    tasks = [(arm, seed) for arm in (main, other) for seed in (0, 1, 2)]
    again = run.seeds_without_start(tasks)
    assert again == {1}
    run.Scheduler([*tasks], 1, again).work()
    assert made == [(main.name, ["eval@r3"])]
    assert sorted(ran) == sorted({(arm.name, seed) for arm, seed in tasks} - {(main.name, 1)})
    # With a lock in its folder nothing is made again.
    (tmp_path / "s1" / main.name / "dvc.lock").touch()
    assert run.seeds_without_start(tasks) == set()


def test_arms_start_from_earlier_ones() -> None:
    names = [arm.name for arm in ARMS]
    for arm in ARMS[1:]:
        assert names.index(arm.start) < names.index(arm.name)


def test_arms_of_our_own_have_one_seed_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = list[tuple[str, int]]()
    monkeypatch.setattr(run, "run_arm", lambda arm, seed, workers: seen.append((arm.name, seed)))
    monkeypatch.setattr(run, "measure", lambda arm, seed: None)
    monkeypatch.setattr(run, "seeds_without_start", lambda tasks: set())
    run.main(seeds=2)
    assert sorted(seen) == sorted((arm.name, s) for arm in ARMS for s in range(min(2, arm.seeds)))
    seen.clear()
    run.main(seeds=3, first=2)
    assert sorted(seen) == sorted((arm.name, 2) for arm in ARMS if arm.seeds == 3)
    seen.clear()
    run.main(seeds=2, arms="refresh", workers=1)
    assert seen == [("refresh", 0), ("refresh", 1)]


def test_unknown_arm_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="there is no arm mian"):
        run.main(arms="mian")


def test_digest_is_that_of_the_params_that_are_run() -> None:
    arms = ARMS[:3]
    digests = {run.params_digest(arm, seed) for arm in arms for seed in (0, 1)}
    assert len(digests) == 2 * len(arms)
    assert run.params_digest(ARMS[0], 0) == run.params_digest(ARMS[0], 0)


def test_arm_with_a_file_of_the_same_params_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[Path]()
    monkeypatch.setattr(run, "RUNS", tmp_path)
    monkeypatch.setattr(run, "prepare", lambda arm, seed, workers: tmp_path)
    monkeypatch.setattr(run, "params_digest", lambda arm, seed: "digest")
    monkeypatch.setattr(run, "targets_of", lambda folder: [])
    monkeypatch.setattr(run, "repro", lambda folder, targets: (calls.append(folder), (1.0, []))[1])
    monkeypatch.setattr(run, "result_of", lambda folder: {"models": {}})
    run.run_arm(ARMS[0], 0, 1)
    run.run_arm(ARMS[0], 0, 1)
    assert len(calls) == 1
    assert json.loads((tmp_path / f"{ARMS[0].name}-s0.json").read_text())["params"] == "digest"
    monkeypatch.setattr(run, "params_digest", lambda arm, seed: "another")
    run.run_arm(ARMS[0], 0, 1)
    assert len(calls) == 2


def test_tables_are_those_of_the_committed_runs() -> None:
    runs = Runs.load()
    if not runs.by_arm:
        pytest.skip("results/paper/runs is empty")
    for name, content in tables.contents(runs).items():
        known = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
        assert known == json.loads(json.dumps(content)), f"make paper writes {name} otherwise"
