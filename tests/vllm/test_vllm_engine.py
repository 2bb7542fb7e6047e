"""What vLLM writes, beside what transformers writes."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import pytest

from mathse.core.images import ImageStore
from mathse.core.machine import Machine
from mathse.core.steps import split_steps
from mathse.engines.loading import load_engine
from mathse.engines.pool import PoolEngine
from mathse.engines.process_pool import ProcessWorker
from mathse.engines.protocol import Completion, Engine, Request, SamplingParams, complete_all
from mathse.judge.verdict_grammar import verdict_grammar
from mathse.prompts import (
    VerdictForm,
    judge_messages,
    render_verdict,
    solve_messages,
    verdict_prefix,
)
from recipes.tiny_base.tasks import DESCRIBE
from tests.tiny import ask
from tests.vllm import needs_vllm
from tests.vllm.conftest import BASE, role

pytestmark = [pytest.mark.slow, needs_vllm]
GREEDY = SamplingParams(0.0, 1.0, 96)
Problems = tuple[pl.DataFrame, ImageStore]


def solve_requests(problems: Problems, sampling: SamplingParams = GREEDY) -> list[Request]:
    return [
        Request(
            row["problem_id"],
            solve_messages(row["question"], row["choices"], 1),
            tuple(row["image_ids"]),
            sampling=sampling,
        )
        for row in problems[0].iter_rows(named=True)
    ]


def describe_requests(problems: Problems) -> list[Request]:
    """Ask what the embedded model was trained to answer: its texts tell the pictures apart."""
    messages = ask(DESCRIBE, 1)
    return [replace(one, messages=messages) for one in solve_requests(problems)]


def judge_requests(
    problems: Problems, texts: Sequence[str], form: VerdictForm, sampling: SamplingParams
) -> list[Request]:
    made = []
    for row, text in zip(problems[0].iter_rows(named=True), texts, strict=True):
        steps, prefix = split_steps(text), verdict_prefix(form)
        solution = row["solution"] if form == "stepwise" else None
        made.append(
            Request(
                row["problem_id"],
                judge_messages(row["question"], row["choices"], 1, steps, form, solution),
                tuple(row["image_ids"]),
                sampling=sampling,
                task="judge",
                prefix=prefix,
                constraint=verdict_grammar(form, steps),
                scored_text=render_verdict("CORRECT", form=form, steps=steps).removeprefix(prefix),
            )
        )
    return made


def both(engines: dict[str, Engine], given: list[Request]) -> list[tuple[Completion, Completion]]:
    ours, theirs = (complete_all(engines[name], given) for name in ("vllm", "transformers"))
    return list(zip(ours, theirs, strict=True))


def show(capsys: pytest.CaptureFixture[str], what: str, same: int, count: int) -> None:
    with capsys.disabled():
        print(f"\nequal, {what}: {same} of {count}")


def test_greedy_texts_are_those_of_transformers(
    engines: dict[str, Engine], problems: Problems, capsys: pytest.CaptureFixture[str]
) -> None:
    for what, given in ("solve", solve_requests), ("describe", describe_requests):
        pairs = both(engines, given(problems))
        same = sum(replace(a, cached_tokens=0) == b for a, b in pairs)
        show(capsys, f"texts of vllm and transformers ({what})", same, len(pairs))
        assert same >= 99, [(a, b) for a, b in pairs if a.text != b.text][:3]
    assert len({a.text for a, _ in pairs}) > 80


@pytest.mark.parametrize("form", ["stepwise", "diagnostic", "binary"])
def test_verdicts_and_their_probabilities_are_those_of_transformers(
    engines: dict[str, Engine],
    problems: Problems,
    form: VerdictForm,
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = [one.text for one in complete_all(engines["vllm"], describe_requests(problems))]
    sampling = SamplingParams(0.0, 1.0, 700 if form == "stepwise" else 60)
    given = judge_requests(problems, texts, form, sampling)
    pairs = both(engines, given[:10] if form == "stepwise" else given)  # long texts: be short
    same = sum(a.text == b.text for a, b in pairs)
    probs = [(a.scored_prob or 0.0, b.scored_prob or 0.0) for a, b in pairs]
    close = sum(a == pytest.approx(b, rel=0.01, abs=1e-6) for a, b in probs)
    show(capsys, f"verdicts of vllm and transformers ({form})", same, len(pairs))
    show(capsys, f"their probabilities to 1% ({form})", close, len(pairs))
    assert min(same, close) >= 0.99 * len(pairs)
    if form != "stepwise":
        assert all(0 < a <= 1 for a, _ in probs) and len({round(a, 6) for a, _ in probs}) > 50


def test_the_probability_of_a_text_without_a_grammar(
    engines: dict[str, Engine], problems: Problems
) -> None:
    given = [replace(one, scored_text="1. So\n2. 3+4=7.") for one in solve_requests(problems)[:8]]
    for ours, theirs in both(engines, given):
        assert ours.scored_prob == pytest.approx(theirs.scored_prob, rel=0.01)
        assert len(ours.scored_lines) == 2
        assert ours.scored_lines == pytest.approx(theirs.scored_lines, abs=0.01)
    forbidden = [replace(one, constraint='start: "2"') for one in given]
    assert {one.scored_prob for pair in both(engines, forbidden) for one in pair} == {0.0}


def test_each_sample_has_its_seed_and_they_share_the_prompt(
    engines: dict[str, Engine], problems: Problems
) -> None:
    [first, *_] = solve_requests(problems)
    long = replace(first, messages=ask("Read this again. " * 60, 1))
    given = [
        replace(long, key=f"k{n}", sampling=SamplingParams(1.0, 0.95, 24, seed=n % 8))
        for n in range(16)
    ]
    done = complete_all(engines["vllm"], given)
    assert [one.text for one in done[:8]] == [one.text for one in done[8:]]
    assert len({one.text for one in done}) > 4
    assert sum(one.cached_tokens > 0 for one in done) >= 15


def test_bad_requests_become_errors_and_the_rest_goes_on(
    engines: dict[str, Engine], problems: Problems
) -> None:
    good = solve_requests(problems)[:3]
    image = good[0].image_ids
    bad = {
        "broken": (ask("x", 1), ("broken",), "cannot be decoded"),
        "noise": (ask("x", 1), ("noise",), "cannot be decoded"),
        "nowhere": (ask("x", 1), ("nowhere",), "no image nowhere"),
        "long": (ask("word " * 1200), (), "at most 900 are allowed"),
        "images": (ask("x", 2), image, "2 images; 1 were given"),
        "hot": (ask("x"), (), "temperature must be in"),
        "grammar": (ask("x"), (), "grammar does not work"),
    }
    given = [
        Request(
            key,
            messages,
            images,
            sampling=SamplingParams(9.0, 1.0, 4) if key == "hot" else GREEDY,
            constraint="start: nowhere" if key == "grammar" else "",
        )
        for key, (messages, images, _) in bad.items()
    ]
    done = {one.key: one for one in complete_all(engines["vllm"], [*given, *good])}
    for key, (_, _, reason) in bad.items():
        assert done[key].finish_reason == "error" and reason in (done[key].error or ""), key
    again = complete_all(engines["transformers"], good)
    assert [done[one.key].text for one in good] == [one.text for one in again]
    assert done["long"].prompt_tokens > 900


def test_a_killed_replica_costs_no_row(engines: dict[str, Engine], problems: Problems) -> None:
    given = describe_requests(problems)
    wanted = {one.key: one.text for one in complete_all(engines["vllm"], given)}
    machine = Machine(device="cpu", inference_processes=2)
    engine = load_engine(BASE, role("vllm", batch_size=8), problems[1], machine)
    assert isinstance(engine, PoolEngine)
    while sum(member.is_ready for member in engine._members.values()) < 2:
        complete_all(engine, given[:32])

    def processes() -> list[int]:
        workers = [member.worker for member in engine._members.values()]
        return [one.process.pid or 0 for one in workers if isinstance(one, ProcessWorker)]

    _, second = processes()
    done = {}
    for completion in engine.complete(given):
        done[completion.key] = completion
        if len(done) == 10:
            os.kill(second, signal.SIGKILL)
    assert second not in processes(), "it has ended"
    assert [one.error for one in done.values() if one.error] == [] and len(done) == len(given)
    assert sum(done[one.key].text == wanted[one.key] for one in given) >= 0.99 * len(given)
    engine.close()
