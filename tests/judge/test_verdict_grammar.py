"""The grammar takes what the judge is trained to write, and only what the reader takes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.engines.constrained import Grammars
from mathse.engines.protocol import Completion
from mathse.judge.verdict_grammar import verdict_grammar
from mathse.judge.verdict_parsing import read_completion
from mathse.prompts import VerdictForm, render_verdict, verdict_prefix
from tests.judge.trajectories import (
    Scripted,
    judge_trajectories,
    problems,
    says,
    trajectories,
    trajectory,
)
from tests.tiny import build_processor

STEPS = ["1. a/b is /3, *4 π é 中文 5", "2. x=-7.5 none", "", "The answer is 3"]
ANALYSES = ["Not so.", 'The "bar" \\ is 3, not 4.', "图中是 5。"]


@pytest.fixture(scope="module")
def grammars() -> Grammars:
    tokenizer = build_processor().tokenizer
    return Grammars(tokenizer, [tokenizer.eos_token_id])


def takes(grammars: Grammars, form: VerdictForm, steps: list[str], text: str) -> bool:
    """Return True if a whole verdict obeys its grammar."""
    matcher = grammars.matcher(verdict_grammar(form, steps))
    tokens = grammars._tokenizer.tokenize_str(text)
    return matcher.consume_tokens(tokens) and matcher.is_accepting()


def right_steps(step: str) -> list[str | None]:
    """Return steps that differ from one early, late, by what is missing and by what is too much."""
    return [None, "q 1", f"{step} more", " ".join(step.split()[:-1]) + " q" if step else "q"]


@pytest.mark.parametrize("form", ["binary", "diagnostic", "stepwise"])
def test_the_grammar_takes_what_the_judge_is_trained_to_write(
    grammars: Grammars, form: VerdictForm
) -> None:
    written = [render_verdict("CORRECT", form=form, steps=STEPS)]
    for number, step in enumerate(STEPS, start=1):
        for analysis in ANALYSES:
            written += [
                render_verdict("WRONG", number, analysis, form, steps=STEPS, right_step=right)
                for right in right_steps(step)
            ]
    for verdict in written:
        assert takes(grammars, form, STEPS, verdict.removeprefix(verdict_prefix(form))), verdict


@pytest.mark.parametrize(
    "text",
    [
        '1. a|a wrong", "status": "WRONG", "error_analysis": "x"}',  # the same, but wrong
        '1. a|b right", "status": "CORRECT"}',  # misquoted
        "1. q|a right, 2. ",  # differs, but right
        '1. q|a wrong", "status": "CORRECT"}',
        '1. q|a wrong", "status": "WRONG", "error_analysis": ""}',
        '1. q|a wrong", "status": "WRONG"}',
        '2. q|x wrong", "status": "WRONG", "error_analysis": "x"}',  # the first step left out
        '1. a|a right", "status": "CORRECT"}',  # the others left out
        "",
    ],
)
def test_the_grammar_takes_no_verdict_that_contradicts_itself_or_the_path(
    grammars: Grammars, text: str
) -> None:
    assert not takes(grammars, "stepwise", STEPS, text)


@pytest.mark.parametrize(
    "text",
    [
        'WRONG", "error_step": 5, "error_analysis": "x"}',
        'WRONG"}',
        'CORRECT", "error_step": 1}',
        "RIGHT",
    ],
)
def test_the_diagnostic_grammar_names_a_step_that_is_there(grammars: Grammars, text: str) -> None:
    assert not takes(grammars, "diagnostic", STEPS, text)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_the_grammar_lets_through_is_read_as_a_verdict(
    grammars: Grammars, data: st.DataObject
) -> None:
    """Walk the grammar at random; a text that it calls whole never comes back as unparseable."""
    form: Any = data.draw(st.sampled_from(["binary", "diagnostic", "stepwise"]))
    steps = data.draw(st.lists(st.sampled_from(STEPS), min_size=1, max_size=3))
    matcher = grammars.matcher(verdict_grammar(form, steps))
    tokens: list[int] = []
    plain = grammars._tokenizer.tokenize_str("".join(map(chr, range(32, 127))))
    while not matcher.is_stopped() and len(tokens) < 300:
        allowed = grammars.allowed([matcher], 2000)[0].nonzero().flatten().tolist()
        known = [token for token in allowed if token in plain] or allowed
        tokens.append(data.draw(st.sampled_from(known)))
        matcher.consume_token(tokens[-1])
        if matcher.is_accepting():
            break
    if matcher.is_accepting():
        tokenizer = grammars._tokenizer
        text = tokenizer.decode_str([t for t in tokens if not tokenizer.is_special_token(t)])
        done = Completion("k", text, "stop", 1, 1)
        assert read_completion(done, steps, form)[0].status in ("correct", "wrong")


def test_a_long_path_has_a_grammar_too(grammars: Grammars) -> None:
    steps = [
        f"{n}. We see {n} and {n + 1}, so {n}+{n + 1}={2 * n + 1} by rule {n}."
        for n in range(1, 101)
    ]
    assert takes(
        grammars, "stepwise", steps, render_verdict("CORRECT", form="stepwise", steps=steps)[11:]
    )


def test_the_judge_keeps_the_grammar_of_the_trajectory(grammars: Grammars) -> None:
    engine = Scripted(says('1. 3|3 right", "status": "CORRECT"}'))
    path = trajectory(0, "1. The bar shows 3.")
    judge_trajectories(engine, problems(1), trajectories(path), max_new_tokens=9, form="stepwise")
    own, judged = engine.requests
    assert own.constraint == "" and judged.constraint == verdict_grammar("stepwise", path["steps"])
    assert re.search(r"bar\|bar", judged.constraint)
