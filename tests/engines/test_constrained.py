from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import mathse.engines.transformers_engine as module
from mathse.core.images import ImageStore
from mathse.engines.protocol import SamplingParams
from mathse.engines.transformers_engine import TransformersEngine
from tests.tiny import ask, complete, make_request

DRAWN = SamplingParams(1.0, 1.0, 40, 5)
SUM = 'start: /[1-9]/ " plus " /[1-9][0-9]?/ "."'


@pytest.fixture(scope="module")
def engine(tiny: Path, store: ImageStore) -> TransformersEngine:
    return TransformersEngine(tiny, images=store, batch_size=24, dtype="float32")


def test_what_is_written_obeys_the_grammar_and_the_others_stay_free(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "SMALL_BATCH", 2
    )  # rows that end early leave: the others go on by their grammar
    free = [
        make_request(f"k{n}", ask(f"say {n}", n % 2), (f"img{n % 6}",) * (n % 2)) for n in range(24)
    ]
    constrained = [
        replace(request, constraint=SUM) if n < 16 else request for n, request in enumerate(free)
    ]
    for sampling in (DRAWN, replace(DRAWN, temperature=0.0)):
        written, before = complete(engine, constrained, sampling), complete(engine, free, sampling)
        assert all(re.fullmatch(r"[1-9] plus [1-9][0-9]?\.", done.text) for done in written[:16])
        assert {done.finish_reason for done in written[:16]} == {"stop"}
        assert not any(re.fullmatch(r"[1-9] plus [1-9][0-9]?\.", done.text) for done in before)
        assert written[16:] == before[16:]
    assert len({done.text for done in complete(engine, constrained[:16], DRAWN)}) > 4


def test_the_probability_of_a_text_is_among_what_the_grammar_allows(
    engine: TransformersEngine,
) -> None:
    given = [
        make_request(
            scored_text, ask("Is it?"), constraint='start: "Y" | "N"', scored_text=scored_text
        )
        for scored_text in ("Y", "N", "Perhaps")
    ]
    for sampling in (DRAWN, replace(DRAWN, temperature=0.0)):
        done = complete(engine, given, sampling)
        right, wrong, never = (one.scored_prob for one in done)
        assert right and wrong and 0 < right < 1 and right + wrong == pytest.approx(1, abs=1e-6)
        assert never == 0 and done[2].text in ("Y", "N")
    assert done[0].text == done[1].text == ("Y" if right > wrong else "N")  # greedy


def test_a_text_that_runs_out_of_room_is_cut_off_as_ever(engine: TransformersEngine) -> None:
    [done] = complete(
        engine,
        [make_request("k", ask("x"), constraint="start: /(ab)+c/")],
        replace(DRAWN, max_new_tokens=1),
    )
    assert done.finish_reason == "length" and "abab".startswith(done.text)


def test_a_grammar_that_does_not_compile_fails_its_request_alone(
    engine: TransformersEngine,
) -> None:
    bad, good = complete(
        engine,
        [make_request("b", ask("x"), constraint="start: nothing"), make_request("g", ask("x"))],
        DRAWN,
    )
    assert bad.finish_reason == "error" and "grammar" in (bad.error or "")
    assert good.finish_reason != "error"
