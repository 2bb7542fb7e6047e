"""What completions cost, the budget, and the journal as the record of what was paid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pytest

from mathse.core.ids import file_digest
from mathse.core.journal_packs import PackLimits
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Completion, Request, complete_all
from mathse.engines.usage import Budget, usage_of
from tests.tiny import ask, make_request


def done(key: str = "", tokens: int = 10, cost: float | None = 0.5) -> Completion:
    return Completion(key, "x", "stop", tokens - 4, 4, cached_tokens=2, cost=cost)


class Paid:
    """Completes each request alone for ten tokens and half a coin; may fail."""

    digest, input_fingerprint = "model", "inputs"

    def __init__(self, failing: Completion | None = None) -> None:
        self.budget = Budget({"requests": 100})
        self.asked = 0
        self.failing = failing

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for one in requests:
            self.asked += 1
            completion = self.failing or done(one.key)
            self.budget.count(completion)
            yield completion

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[index] for index in range(len(requests))]

    def close(self) -> None: ...


class Packed(Paid):
    """What it completes is packed."""

    pack_limits = PackLimits(2, 3600.0)


both = pytest.mark.parametrize("kind", [Paid, Packed])


def requests(*names: str) -> list[Request]:
    return [make_request(name, ask(name)) for name in names]


def test_usage_is_summed() -> None:
    given = [done(), done(cost=None), Completion.failed("", "busy", kind="retryable")]
    assert usage_of(given) == {
        "requests": 3,
        "prompt_tokens": 12,
        "cached_tokens": 4,
        "response_tokens": 8,
        "cost": 0.5,
    }
    assert usage_of([done(cost=None)])["cost"] is None
    assert usage_of([])["requests"] == 0


@pytest.mark.parametrize(
    ("limits", "rooms"),
    [
        ({}, [True] * 4),
        ({"requests": 2}, [True, True, False, False]),
        ({"tokens": 39}, [True, True, True, False]),
        ({"money": 1.5, "tokens": None}, [True, True, True, False]),
    ],
)
def test_a_budget_ends_before_it_is_exceeded(
    limits: dict[str, float | None], rooms: list[bool]
) -> None:
    budget = Budget(limits)
    found = []
    for _ in rooms:
        found.append(budget.has_room(0))
        budget.count(done())
    assert found == rooms


def test_requests_in_flight_count_as_the_dearest_one() -> None:
    budget = Budget({"tokens": 100})
    assert budget.has_room(1000), "nothing is known yet"
    budget.count(done(tokens=30))
    budget.count(done(tokens=10))
    assert budget.has_room(1) and not budget.has_room(2)


def test_what_failed_before_it_took_a_token_is_not_counted() -> None:
    budget = Budget({"requests": 1})
    budget.count(Completion.failed("", "HTTP 400"))
    assert budget.has_room(0)
    budget.count(Completion.failed("", "no text", prompt_tokens=5))
    assert not budget.has_room(0)


def test_the_error_says_what_was_spent_and_how_to_go_on() -> None:
    budget = Budget({"tokens": 2000, "money": 0.5})
    budget.count(done(tokens=1500))
    text = str(budget.error("servers.teacher.budget"))
    for part in ("requests: 1 spent\n", "tokens: 1,500 spent of 2,000", "money: 0.5 spent of 0.5"):
        assert part in text
    assert "servers.teacher.budget" in text and "dvc repro" in text


@both
def test_the_journal_keeps_usage_and_counts_it_once(tmp_path: Path, kind: type[Paid]) -> None:
    first, second = kind(), kind()
    asked = requests("a", "b")
    complete_all(JournaledEngine(first, tmp_path, "t"), asked)
    engine = JournaledEngine(second, tmp_path, "t")
    assert complete_all(engine, asked) == [done("a"), done("b")]
    complete_all(engine, asked)
    assert second.asked == 0
    assert second.budget.spent == {"requests": 2, "tokens": 20, "money": 1.0}


@both
def test_what_was_paid_for_other_prompts_counts_too(tmp_path: Path, kind: type[Paid]) -> None:
    complete_all(JournaledEngine(kind(), tmp_path, "t"), requests("a", "b"))
    other = kind()
    complete_all(JournaledEngine(other, tmp_path, "t"), requests("a", "c"))
    assert other.asked == 1 and other.budget.spent["requests"] == 3


@both
def test_what_was_paid_stays_if_a_call_asks_for_less(tmp_path: Path, kind: type[Paid]) -> None:
    names = "abcde"
    complete_all(JournaledEngine(kind(), tmp_path, "t"), requests(*names))
    for asked in (names[1], names):
        engine = kind()
        found = complete_all(JournaledEngine(engine, tmp_path, "t"), requests(*asked))
        assert found == [done(name) for name in asked]
        assert engine.asked == 0 and engine.budget.spent["requests"] == len(names)


@pytest.mark.parametrize(
    ("failure", "asked_again"),
    [
        (Completion.failed("a", "HTTP 400"), 1),
        (Completion.failed("a", "HTTP 500", kind="retryable"), 1),
        (Completion.failed("a", "no text", prompt_tokens=5), 0),
    ],
    ids=lambda value: str(getattr(value, "error", "")),
)
def test_failures_are_kept_if_they_were_paid(
    tmp_path: Path, failure: Completion, asked_again: int
) -> None:
    complete_all(JournaledEngine(Paid(failure), tmp_path, "t"), requests("a"))
    again = Paid()
    [completion] = complete_all(JournaledEngine(again, tmp_path, "t"), requests("a"))
    assert again.asked == asked_again
    assert (completion.error is None) == bool(asked_again)


def test_a_journal_without_usage_is_read(tmp_path: Path) -> None:
    complete_all(JournaledEngine(Paid(), tmp_path, "t"), requests("a"))
    [file] = tmp_path.glob("*.parquet")
    pl.read_parquet(file).drop("cached_tokens", "cost").write_parquet(file)
    file.with_suffix(".sha256").write_text(file_digest(file))
    engine = Paid()
    [completion] = complete_all(JournaledEngine(engine, tmp_path, "t"), requests("a"))
    assert engine.asked == 0 and (completion.cached_tokens, completion.cost) == (0, None)
