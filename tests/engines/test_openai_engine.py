"""The engine for OpenAI-compatible servers, against a local one that may misbehave."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mathse.core.errors import ParamError
from mathse.core.ids import content_id
from mathse.core.images import ImageStore
from mathse.core.machine import Limits, Machine, Price, Server
from mathse.core.params import Role, WritingRole
from mathse.engines.journaled import JournaledEngine
from mathse.engines.loading import load_engine
from mathse.engines.openai_engine import FAILURES_IN_A_ROW, OpenAIEngine, ServerError
from mathse.engines.protocol import Completion, Request, SamplingParams, complete_all
from mathse.engines.usage import BudgetError, usage_of
from mathse.trajectories import sampling_params
from tests.servers.chat import Body, ChatServer, MisbehavingServer, Reply, echo, images_of
from tests.tiny import ask, draw_png, make_request, write_store

KEY = "sk-test-0123456789abcdef"
SLOW = Reply("late", delay_s=6.0)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def engine(server: ChatServer, images: ImageStore | None = None, **settings: Any) -> OpenAIEngine:
    """Return an engine that tries twice, four requests at a time, unless the settings differ."""
    settings = {"tries": 2, "concurrency": 4, "timeout_s": 20} | settings
    return OpenAIEngine("served", Server(url=server.url, **settings), images=images)


def requests(*names: str, **more: Any) -> list[Request]:
    return [
        replace(make_request(name, ask(name), **more), sampling=SamplingParams(0.7, 0.9, 64, n))
        for n, name in enumerate(names)
    ]


def stored_prompts(journal: Path) -> list[str]:
    files = [file.with_suffix(".parquet") for file in journal.glob("*.sha256")]
    return [text.split()[0] for file in files for text in pl.read_parquet(file)["text"]]


def by_key(done: Sequence[Completion]) -> dict[str, Completion]:
    return {one.key: one for one in done}


def test_a_request_is_sent_as_it_was_made() -> None:
    with ChatServer() as server:
        [done] = complete_all(engine(server), requests("a", constraint="start: /x/"))
    [sent] = server.received
    assert sent.body == {
        "model": "served",
        "messages": [{"role": "user", "content": "a"}],
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 0,
        "max_tokens": 64,
    }
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert done == Completion("a", "a 0", "stop", 12, 4, cached_tokens=2)


def test_what_a_role_adds_or_leaves_out_is_sent_so(tmp_path: Path) -> None:
    role = WritingRole(
        engine="openai",
        model="served",
        temperature=None,
        top_p=None,
        max_new_tokens=9,
        extra={"reasoning_effort": "low", "seed": None, "provider": {"order": ["a"]}},
    )
    asked = replace(make_request("a", ask("a")), sampling=sampling_params(role, 3))
    with ChatServer(lambda body: Reply("fine")) as server:
        machine = Machine(servers={"default": Server(url=server.url, takes_grammar=True)})
        made = load_engine("served", role, write_store(tmp_path, {}), machine)
        complete_all(made, [replace(asked, constraint="start: /x/")])
    assert server.received[0].body == {
        "model": "served",
        "messages": [{"role": "user", "content": "a"}],
        "max_tokens": 9,
        "reasoning_effort": "low",
        "provider": {"order": ["a"]},
        "structured_outputs": {"grammar": "start: /x/"},
    }


def test_vllm_continues_a_prefix_and_takes_a_grammar() -> None:
    settings = {"continues_prefix": True, "takes_grammar": True}
    with ChatServer() as server:
        made = engine(server, token_limit="max_completion_tokens", **settings)
        [done] = complete_all(made, requests("a", prefix="x = ", constraint="start: /x/"))
    body = server.received[0].body
    assert body["messages"][-1] == {"role": "assistant", "content": "x = "}
    assert body["continue_final_message"] is True and body["add_generation_prompt"] is False
    assert body["structured_outputs"] == {"grammar": "start: /x/"}
    assert body["max_completion_tokens"] == 64 and "max_tokens" not in body
    assert done.text == "a 0"


def test_a_prefix_that_cannot_be_continued_is_refused_for_that_request() -> None:
    with ChatServer() as server:
        given = [*requests("a", prefix="x = "), *requests("b")]
        refused, done = complete_all(engine(server), given)
    assert "continues_prefix" in str(refused.error) and refused.error_kind == "permanent"
    assert done.text == "b 0" and server.times_seen() == {"b": 1}


def test_images_are_sent_as_they_are_stored(tmp_path: Path) -> None:
    jpeg = Path(tmp_path / "x.jpg")
    from PIL import Image

    Image.new("RGB", (9, 8), "red").save(jpeg)
    images = {"one": draw_png(1), "two": jpeg.read_bytes(), "noise": b"no picture"}
    store = write_store(tmp_path / "store", images)
    given = [
        make_request("both", ask("two", 2), ("one", "two")),
        make_request("noise", ask("broken", 1), ("noise",)),
        make_request("unknown", ask("unknown", 1), ("three",)),
        make_request("too few", ask("too few", 2), ("one",)),
    ]
    with ChatServer() as server:
        done = by_key(complete_all(engine(server, store), given))
    [sent] = server.received
    assert images_of(sent.body) == [("image/png", images["one"]), ("image/jpeg", images["two"])]
    kinds = [part["type"] for part in sent.body["messages"][0]["content"]]
    assert kinds == ["image_url", "image_url", "text"]
    assert done["both"].error is None
    for name, reason in [("noise", "picture format"), ("unknown", "three"), ("too few", "more")]:
        assert reason in str(done[name].error) and done[name].error_kind == "permanent"


def test_the_bound_on_requests_in_flight_is_reached_and_not_exceeded() -> None:
    together = threading.Barrier(4, timeout=20)

    def answer(body: Body) -> Reply:
        together.wait()
        return echo(body)

    names = [f"p{n}" for n in range(12)]
    with ChatServer(answer) as server:
        done = complete_all(engine(server), requests(*names))
    assert [one.text for one in done] == [f"p{n} {n}" for n in range(12)]
    assert server.most_in_flight == 4


def test_completions_come_as_they_finish_and_do_not_depend_on_the_order() -> None:
    delays = random.Random(0).choices([0.0, 0.02, 0.05], k=30)

    def answer(body: Body) -> Reply:
        return replace(echo(body), delay_s=0.3 if body["seed"] == 0 else delays[body["seed"]])

    names = [f"p{n}" for n in range(30)]
    with ChatServer(answer) as server:
        made = engine(server, concurrency=8)
        arrived = [one.key for one in made.complete(requests(*names))]
        assert arrived[0] != "p0" and set(arrived) == set(names)
        given = requests(*names)
        shuffled = random.Random(1).sample(given, k=30)
        assert by_key(complete_all(made, shuffled)) == by_key(complete_all(made, given))


@pytest.mark.parametrize(
    "bad",
    [
        Reply(status=500),
        Reply(status=503, body=b"<html>down</html>"),
        Reply(status=429),
        Reply("half of an answer", cut=30),
        Reply(closes=True),
        SLOW,
    ],
    ids=["500", "503", "429", "half", "closed", "slow"],
)
def test_what_gets_no_answer_is_tried_again_and_then_left_for_the_next_run(bad: Reply) -> None:
    with MisbehavingServer({"once": [bad], "always": [bad] * 9}) as server:
        made = engine(server, timeout_s=3 if bad is SLOW else 20)
        done = by_key(complete_all(made, requests("once", "always", "good")))
    assert done["once"].text == "once 0" and done["good"].text == "good 2"
    assert done["always"].error_kind == "retryable" and done["always"].finish_reason == "error"
    assert server.times_seen() == {"once": 2, "always": 2, "good": 1}


def test_retry_after_is_honoured() -> None:
    with MisbehavingServer({"a": [Reply(status=429, headers={"Retry-After": "2"})]}) as server:
        [done] = complete_all(engine(server), requests("a"))
    first, second = (one.at_s for one in server.received)
    assert done.error is None and 2.0 <= second - first < 12


@pytest.mark.parametrize(
    ("bad", "reason", "kind"),
    [
        (Reply("too long", status=400), "HTTP 400 - too long", "permanent"),
        (Reply("too large", status=413), "HTTP 413 - too large", "permanent"),
        (Reply("bad part", status=422), "HTTP 422 - bad part", "permanent"),
        (Reply(None), "no text", "permanent"),
        (Reply(" \n"), "no text", "permanent"),
        (Reply("a", finish_reason="content_filter"), "content_filter", "permanent"),
        (Reply(None, refusal="I cannot"), "I cannot", "permanent"),
        (Reply("a", finish_reason=None), "broken off", "retryable"),
        (Reply(body=b'{"choices": [{"mess'), "not JSON", "retryable"),
        (Reply(body=b"\xff\xfe"), "not JSON", "retryable"),
        (Reply(body=b"[1, 2]"), "no chat completion", "retryable"),
        (Reply(body=b'{"choices": []}'), "no chat completion", "retryable"),
        (Reply(body=b'{"error": {"message": "overloaded"}}'), "overloaded", "retryable"),
        (Reply(body=b'{"choices": [{"message": {"content": [1]}}]}'), "no chat", "retryable"),
        (Reply(body=b"[" * 200_000), "not JSON", "retryable"),
        (Reply("a", tokens=(10**20, 0, 1)), "no chat", "retryable"),
        (
            Reply(
                body=b'{"choices": [{"message": {"content": "a"}}], "usage": '
                b'{"prompt_tokens": 1e999}}'
            ),
            "no chat",
            "retryable",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_a_bad_reply_stops_no_other_request(bad: Reply, reason: str, kind: str) -> None:
    with MisbehavingServer({"bad": [bad]}) as server:
        done = by_key(complete_all(engine(server), requests("a", "bad", "b")))
    assert done["a"].text == "a 0" and done["b"].text == "b 2"
    assert reason in str(done["bad"].error) and done["bad"].error_kind == kind
    assert done["bad"].text == "" and "\n" not in str(done["bad"].error)
    assert server.times_seen()["bad"] == 1


def test_odd_but_whole_replies_are_taken() -> None:
    scripts = {
        "cut": [Reply("a b", finish_reason="length")],
        "thinking": [Reply(None, finish_reason="length")],
        "no usage": [Reply("x", tokens=None)],
        "surrogate": [Reply("x \ud800")],
    }
    with MisbehavingServer(scripts) as server:
        done = by_key(complete_all(engine(server), requests(*scripts)))
    assert not [one for one in done.values() if one.error]
    assert (done["cut"].finish_reason, done["cut"].text) == ("length", "a b")
    assert (done["thinking"].finish_reason, done["thinking"].text) == ("length", "")
    assert (done["no usage"].prompt_tokens, done["no usage"].response_tokens) == (0, 0)
    pl.DataFrame([done["surrogate"].text])  # raises for what is no Unicode text


@pytest.mark.parametrize(
    ("reply", "parts"),
    [
        (Reply("no", status=401), ["OPENAI_API_KEY", "refused"]),
        (Reply("no", status=403), ["OPENAI_API_KEY", "refused"]),
        (Reply("pay", status=402), ["no credit", "pay"]),
        (
            Reply(status=429, body=b'{"error": {"message": "q", "code": "insufficient_quota"}}'),
            ["no credit"],
        ),
        (Reply("unknown model", status=404), ["served", "servers.default.url", "unknown model"]),
    ],
    ids=["401", "403", "402", "quota", "404"],
)
def test_what_is_wrong_for_all_requests_stops_at_once(
    tmp_path: Path, reply: Reply, parts: list[str]
) -> None:
    names = [f"p{n}" for n in range(400)]
    with MisbehavingServer({"p5": [reply] * 9}) as server:
        made = JournaledEngine(engine(server, concurrency=2), tmp_path, "t")
        with pytest.raises(ServerError) as error:
            complete_all(made, requests(*names))
    assert all(part in str(error.value) for part in [*parts, "is kept"])
    seen = server.times_seen()
    stored = len(stored_prompts(tmp_path))
    # The package tries again after a 429, for half a second in which others are sent.
    assert len(seen) < 200 and stored == len(seen) - 1, "what had an answer is stored"


def test_a_key_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with ChatServer() as server:
        assert complete_all(engine(server), requests("a"))[0].text == "a 0"
    with ChatServer(key=KEY) as server, pytest.raises(ServerError, match="TEACHER_KEY.* not set"):
        complete_all(engine(server, key_env="TEACHER_KEY"), requests("a"))


def test_a_server_that_is_down_stops_the_stage() -> None:
    names = [f"p{n}" for n in range(100)]
    down = {name: [Reply(status=500)] * 9 for name in names[30:]}
    with (
        MisbehavingServer(down) as server,
        pytest.raises(ServerError, match="in a row failed.*HTTP 500") as error,
    ):
        complete_all(engine(server, tries=1), requests(*names))
    failed = len(server.received) - 30
    assert FAILURES_IN_A_ROW <= failed < 60, "a good answer that comes late starts the count again"
    assert "servers.default" in str(error.value)


def test_a_server_that_refuses_every_request_stops_the_stage() -> None:
    def refuse(body: Body) -> Reply:
        return Reply("Unsupported parameter: 'seed'", status=400)

    names = [f"p{n}" for n in range(100)]
    for concurrency, most in ((4, 24), (30, 60)):
        with (
            ChatServer(refuse) as server,
            pytest.raises(ServerError, match="first .* refused.*Unsupported parameter: 'seed'"),
        ):
            complete_all(engine(server, concurrency=concurrency), requests(*names))
        assert max(FAILURES_IN_A_ROW, concurrency) <= len(server.received) <= most


@pytest.mark.parametrize("first", [0, 1])
def test_refusals_beside_answers_stop_nothing(tmp_path: Path, first: int) -> None:
    names = [f"p{n}" for n in range(60)]
    given = requests(*names)
    refused = {name: [Reply("too long", status=400)] * 2 for name in names[first : first + 50]}
    with MisbehavingServer(refused) as server:
        made = JournaledEngine(engine(server, concurrency=1), tmp_path, "t")
        if not first:  # a run that was killed has answers in the journal
            complete_all(made, given[50:])
            made = JournaledEngine(engine(server, concurrency=1), tmp_path, "t")
        done = complete_all(made, given)
    assert sum(one.error_kind == "permanent" for one in done) == 50


def test_after_a_server_died_another_one_is_asked_for_the_rest(tmp_path: Path) -> None:
    # An answer on its way when the server dies may come late and end a row of failures: enough
    # requests follow it for another such row.
    names = [f"p{n}" for n in range(120)]
    died = threading.Event()

    def answer(body: Body) -> Reply:
        if len(server.received) > 25 and not died.is_set():
            died.set()
            threading.Thread(target=server.__exit__).start()
        return replace(echo(body), closes=died.is_set())

    with ChatServer(answer) as server, pytest.raises(ServerError, match="in a row failed"):
        complete_all(JournaledEngine(engine(server, tries=1), tmp_path, "t"), requests(*names))
    stored = len(stored_prompts(tmp_path))
    assert 15 < stored <= 25
    with ChatServer() as other:
        done = complete_all(JournaledEngine(engine(other), tmp_path, "t"), requests(*names))
    assert [one.text for one in done] == [f"p{n} {n}" for n in range(120)]
    assert len(other.received) == 120 - stored


def test_the_key_is_in_no_file_and_no_message(tmp_path: Path) -> None:
    scripts = {
        "echoed": [Reply(f"bad header Bearer {KEY}", status=400)],
        "filtered": [Reply(None, refusal=f"never say {KEY}")],
        "error": [Reply(body=f'{{"error": "{KEY}"}}'.encode())],
    }
    with MisbehavingServer(scripts) as server:
        made = engine(server)
        done = complete_all(JournaledEngine(made, tmp_path, "t"), requests(*scripts, "fine"))
    assert KEY not in repr(done) + repr(made) + repr(made.server)
    assert sum(one.error is not None for one in done) == 3
    frames = [pl.read_parquet(file) for file in tmp_path.glob("*.parquet")]
    assert frames and not any(KEY in str(frame.rows()) for frame in frames)
    with ChatServer(key="sk-another") as server, pytest.raises(ServerError) as error:
        complete_all(engine(server), requests("a"))
    assert KEY not in str(error.value)


@pytest.mark.parametrize("bad", ["sk-é", "sk\n-x"])
def test_a_key_that_no_header_can_hold_is_refused(
    monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", bad)
    with pytest.raises(ParamError, match="OPENAI_API_KEY") as error:
        OpenAIEngine("m", Server(url="http://localhost/v1"))
    assert bad not in str(error.value)
    with pytest.raises(ParamError, match="holds a key") as error:
        OpenAIEngine("m", Server(url="http://user:word@localhost/v1"))
    assert "word" not in str(error.value)


def test_cost_follows_from_prices() -> None:
    with MisbehavingServer({"a": [Reply("x", tokens=(1000, 400, 50))] * 2}) as server:
        price = Price(prompt=2.0, cached=0.5, completion=10.0)
        [dear] = complete_all(engine(server, price=price), requests("a"))
        [plain] = complete_all(
            engine(server, price=Price(prompt=2.0, completion=10.0)), requests("a")
        )
    assert dear.cost == pytest.approx((600 * 2 + 400 * 0.5 + 50 * 10) / 1e6)
    assert plain.cost == pytest.approx((1000 * 2 + 50 * 10) / 1e6)
    assert (dear.prompt_tokens, dear.cached_tokens, dear.response_tokens) == (1000, 400, 50)


def test_what_is_not_counted_has_no_cost_and_keeps_no_limit() -> None:
    price = Price(prompt=2.0, completion=10.0)
    with ChatServer(lambda body: Reply("a long answer", tokens=None)) as server:
        done = complete_all(engine(server, price=price), requests("a", "b"))
        assert [one.cost for one in done] == [None, None] and usage_of(done)["cost"] is None
        for limits, name in ((Limits(tokens=100), "tokens"), (Limits(money=0.01), "money")):
            made = engine(server, concurrency=2, price=price, budget=limits)
            with pytest.raises(ServerError, match=rf"servers\.default\.budget\.{name} .*kept"):
                complete_all(made, requests(*map(str, range(60))))
        assert len(server.received) <= 2 + 2 * 2
        complete_all(engine(server, price=price, budget=Limits(requests=9)), requests("a"))
    # More cached tokens than there are cost no less than nothing.
    with ChatServer(lambda body: Reply("x", tokens=(10, 1000, 0))) as server:
        cached = Price(prompt=2.0, cached=0.5, completion=10.0)
        [odd] = complete_all(engine(server, price=cached), requests("a"))
    assert odd.cost == pytest.approx(10 * 0.5 / 1e6) and odd.cached_tokens == 10


def test_a_budget_counts_answers_that_are_asked_for_again(tmp_path: Path) -> None:
    def run(server: ChatServer) -> None:
        made = engine(server, concurrency=1, budget=Limits(tokens=10_000))
        complete_all(JournaledEngine(made, tmp_path, "t"), requests("a", "b", "c"))

    cut = Reply("x", finish_reason="tool_calls", tokens=(1000, 0, 1000))
    with ChatServer(lambda body: cut) as server:
        run(server)  # 6,000 tokens, and no answer
        for sent in (5, 5):
            with pytest.raises(BudgetError, match="tokens: 10,000 spent of 10,000"):
                run(server)
            assert len(server.received) == sent


@pytest.mark.parametrize(
    ("limits", "spent"),
    [
        (Limits(requests=10), "requests: 10 spent of 10"),
        (Limits(tokens=160), "tokens: 160 spent of 160"),  # 16 for each request
        (Limits(money=0.0001605), "money: 0.00016 spent of 0.0001605"),
    ],
    ids=["requests", "tokens", "money"],
)
def test_a_budget_ends_the_stage_and_a_resume_goes_on(
    tmp_path: Path, limits: Limits, spent: str
) -> None:
    names = [f"p{n}" for n in range(14)]
    price = Price(prompt=1.0, completion=1.0)

    def run(server: ChatServer, budget: Limits) -> list[Completion]:
        made = engine(server, price=price, budget=budget)
        return complete_all(JournaledEngine(made, tmp_path, "t"), requests(*names))

    with ChatServer() as server:
        for _ in range(2):  # a second run with the same budget sends nothing
            with pytest.raises(BudgetError) as error:
                run(server, limits)
            assert len(server.received) == 10
            for part in (spent, "servers.default.budget", "in the journal"):
                assert part in str(error.value)
        done = run(server, Limits())
    assert [one.text for one in done] == [f"p{n} {n}" for n in range(14)]
    assert set(server.times_seen().values()) == {1}


def test_the_digest_is_that_of_model_and_revision_wherever_they_are_served() -> None:
    def made(
        model: str = "m", revision: str = "", extra: dict[str, Any] | None = None, **settings: Any
    ) -> OpenAIEngine:
        server = Server(**{"url": "http://localhost:1/v1", **settings})
        return OpenAIEngine(model, server, revision=revision, extra=extra)

    plain = made()
    assert plain.digest == made(extra={}).digest == content_id("openai", "m", "")
    efforts = [made(extra={"reasoning_effort": effort}).digest for effort in ("low", "high")]
    assert len({plain.digest, *efforts}) == 3
    assert made(url="http://other/v1", concurrency=2).digest == plain.digest
    assert made(url="http://other/v1").input_fingerprint == plain.input_fingerprint
    assert len({plain.digest, made("n").digest, made(revision="2").digest}) == 3
    assert made(takes_grammar=True).how != plain.how


def test_a_role_is_loaded_with_its_server(tmp_path: Path) -> None:
    role = Role(engine="openai", model="served")
    store = write_store(tmp_path, {"one": draw_png(1)})
    with ChatServer() as server:
        machine = Machine(servers={"default": Server(url=server.url)})
        made = load_engine("served", role, store, machine)
        [done] = complete_all(made, [make_request("a", ask("a", 1), ("one",))])
        made.close()
    assert done.text == "a 0" and images_of(server.received[0].body)
    with pytest.raises(ParamError, match="servers.default"):
        load_engine("served", role, store, Machine())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ParamError, match=r"pip install .*\[openai\]"):
        OpenAIEngine("m", Server(url="http://localhost/v1"))


CHILD = """
import sys
from pathlib import Path
from mathse.core.machine import Server
from mathse.engines.journaled import JournaledEngine
from mathse.engines.openai_engine import OpenAIEngine
from mathse.engines.protocol import complete_all
from tests.engines.test_openai_engine import requests

engine = OpenAIEngine("served", Server(url=sys.argv[1], concurrency=4))
given = requests(*(f"p{n}" for n in range(60)))
done = complete_all(JournaledEngine(engine, Path(sys.argv[2]), "t"), given)
assert [one.text for one in done] == [f"p{n} {n}" for n in range(60)]
"""


def test_sigkill_then_resume_asks_for_nothing_twice_that_was_stored(tmp_path: Path) -> None:
    def answer(body: Body) -> Reply:
        if len(server.received) == 25:
            child.kill()
        return replace(echo(body), delay_s=0.05)

    with ChatServer(answer) as server:
        words = [sys.executable, "-c", CHILD, server.url, str(tmp_path)]
        child = subprocess.Popen(words)
        assert child.wait() == -signal.SIGKILL
        kept, before = stored_prompts(tmp_path), server.times_seen()
        assert 10 <= len(kept) < 25 and set(before.values()) == {1}
        subprocess.run(words, check=True)
    seen = server.times_seen()
    assert all(seen[name] == 1 for name in kept)
    again = {name for name, times in seen.items() if times > 1}
    assert again == before.keys() - set(kept) and len(again) <= 2 * 4 + 3, "and a pack"
    assert len(seen) == 60 and max(seen.values()) == 2
