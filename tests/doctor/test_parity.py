"""`mathse doctor --parity`: what is compared, and what an engine does not tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from mathse.core.errors import ParamError
from mathse.core.params import Params
from mathse.doctor.parity import Side, compare, find_role
from mathse.engines.protocol import Completion
from tests.closure import ROOT

PARAMS = Params.model_validate(yaml.safe_load((ROOT / "params.yaml").read_text()))


def side(name: str = "left", texts: tuple[str, ...] = ("one", "two")) -> Side:
    done = [Completion(str(i), text, "stop", 20, 3) for i, text in enumerate(texts)]
    scored = [replace(completion, scored_prob=0.5) for completion in done]
    return Side(name, done, scored, [([1, 2, i], "pixels") for i in range(len(texts))])


def table(left: Side, right: Side) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in compare(left, right)[0]}


def test_equal_engines_pass() -> None:
    rows, passed = compare(side(), side("right"))
    assert passed and all(row[1] == "2 of 2" for row in rows)


@pytest.mark.parametrize(
    ("right", "row"),
    [
        (side("right", ("one", "twain")), "greedy texts"),
        (replace(side(), inputs=[([1, 2, 0], "pixels"), ([9], "pixels")]), "prompt token ids"),
        (replace(side(), inputs=[([1, 2, 0], "other"), ([1, 2, 1], "pixels")]), "pixel hashes"),
        (
            replace(side(), completions=[Completion.failed("0", "no"), side().completions[1]]),
            "no errors",
        ),
        (
            replace(side(), completions=[replace(c, prompt_tokens=7) for c in side().completions]),
            "prompt lengths as counted",
        ),
    ],
)
def test_differences_fail(right: Side, row: str) -> None:
    assert not compare(side(), right)[1]
    assert table(side(), right)[row][0] in ("1 of 2", "0 of 2")


def test_the_first_difference_is_shown() -> None:
    detail = table(side(), side("right", ("one", "twain")))["greedy texts"][1]
    assert detail == "1 from character 2: 'o' and 'ain'"


def test_what_an_engine_does_not_report_is_named() -> None:
    silent = [replace(completion, scored_prob=None) for completion in side().scores]
    rows, passed = compare(side(), replace(side("api"), inputs=None, scores=silent))
    given = {row[0]: row[2] for row in rows}
    assert passed
    assert given["pixel hashes"] == given["log-probabilities"] == "not given by api"


def test_roles_and_models() -> None:
    assert find_role(PARAMS, "orm") == ("orm", PARAMS.orm)
    name, role = find_role(PARAMS, "transformers:data/rounds/r1/model")
    assert (name, role.model) == ("student", "data/rounds/r1/model")
    for wrong in ("r1", "figures:x", "transformers:"):
        with pytest.raises(ParamError, match="ENGINE:MODEL"):
            find_role(PARAMS, wrong)
