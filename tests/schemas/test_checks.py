"""Rules between tables: each is broken once and named."""

from __future__ import annotations

import polars as pl
import pytest

import schemas
from schemas import ContractError, checks
from tests.schemas.rows import PNG_ID, frame, hex_id


def problems(n: int = 3) -> pl.DataFrame:
    return frame("Problem", *({"problem_id": hex_id(i)} for i in range(n)))


def trajectories(n: int = 3) -> pl.DataFrame:
    return frame(
        "Trajectory", *({"trajectory_id": hex_id(i), "parent_id": hex_id(0)} for i in range(n))
    )


def verdicts(*changes: dict[str, object]) -> pl.DataFrame:
    return frame(
        "Verdict", *({"trajectory_id": hex_id(i), **change} for i, change in enumerate(changes))
    )


def ledger(n: int = 3, **change: object) -> pl.DataFrame:
    return frame("LedgerRow", *({"problem_id": hex_id(i), **change} for i in range(n)))


def test_problem_ids() -> None:
    checks.known_problem_ids(trajectories(), problems(), file="t")
    with pytest.raises(
        ContractError, match=r"t.parquet(.|\n)*problem id is known: broken by 1 of 2"
    ) as caught:
        checks.known_problem_ids(problems(2), problems(1), file="t.parquet")
    assert f"row 1: problem_id = '{hex_id(1)}'" in str(caught.value)


def test_problems_without_their_images_are_quarantined() -> None:
    rows = frame(
        "Problem",
        {"image_ids": [PNG_ID]},
        {"image_ids": [], "problem_id": hex_id(7)},
        {"image_ids": [PNG_ID, "0" * 64]},
    )
    images = frame("Image", {})
    good, bad = checks.split_unknown_images(rows, images, file="p")
    assert good.equals(rows[:2]) and bad["row"].to_list() == [2]
    assert bad["rule"][0] == "image id is known" and "missing" in bad["reason"][0]
    schemas.validate(bad, schemas.Quarantine, file="q")
    assert checks.split_unknown_images(rows, images[:0], file="p")[1]["row"].to_list() == [0, 2]


@pytest.mark.parametrize(
    ("step", "fits"), [(None, True), (1, True), (3, True), (4, False), (0, False)]
)
def test_error_steps(step: int | None, fits: bool) -> None:
    rows = verdicts({"error_step": 2}, {"error_step": step})
    if fits:
        checks.error_step_within_steps(rows, trajectories(), file="v")
    else:
        with pytest.raises(
            ContractError, match=r"error_step within steps: broken by 1 of 2(.|\n)*row 1"
        ):
            checks.error_step_within_steps(rows, trajectories(), file="v")


def test_an_error_step_of_an_unknown_trajectory_does_not_fit() -> None:
    with pytest.raises(ContractError, match="error_step within steps"):
        checks.error_step_within_steps(verdicts({}), trajectories(0), file="v")


def test_every_trajectory_has_a_verdict() -> None:
    checks.every_trajectory_judged(verdicts({}, {}), trajectories(2), file="v")
    with pytest.raises(ContractError, match="every trajectory has a verdict: broken by 1 of 3"):
        checks.every_trajectory_judged(verdicts({}, {}), trajectories(3), file="v")


def test_the_ledger_holds_each_problem_once_a_round() -> None:
    both = pl.concat([ledger(3), ledger(3, round="r2", state="hard")])
    checks.ledger_covers_problems(both, problems(3), file="l")
    checks.ledger_covers_problems(ledger(0), problems(3), file="l")
    with pytest.raises(
        ContractError, match=r"counts sum to all problems: broken by 1 of 2(.|\n)*problems = 2"
    ):
        checks.ledger_covers_problems(both[:5], problems(3), file="l")
    with pytest.raises(ContractError, match="problem id is known"):
        checks.ledger_covers_problems(both, problems(2), file="l")


def test_held_out_problems_stay_out() -> None:
    train = frame("TrainRow", {"problem_id": hex_id(8)}, {"problem_id": hex_id(1)})
    checks.held_out_stay_out(train[:1], problems(3), file="t")
    with pytest.raises(ContractError, match=r"held-out problems are not trained on(.|\n)*row 1"):
        checks.held_out_stay_out(train, problems(3), file="t")
