from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import mathse.engines.transformers_engine as module
from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.engines.input_fingerprint import write_record
from mathse.engines.inputs import append_tokens
from mathse.engines.journaled import JournaledEngine
from mathse.engines.model_files import model_digest
from mathse.engines.precision import auto_dtype
from mathse.engines.protocol import Completion, Request, SamplingParams, complete_all
from mathse.engines.transformers_engine import TransformersEngine
from tests.tiny import ask, complete, make_request

GREEDY = SamplingParams(0.0, 1.0, 12, 0)
DRAWN = SamplingParams(1.0, 1.0, 12, 5)


@pytest.fixture(scope="module")
def engine(tiny: Path, store: ImageStore) -> TransformersEngine:
    return TransformersEngine(
        tiny, images=store, batch_size=4, dtype="float32", max_prompt_tokens=120
    )


def requests(count: int = 9) -> list[Request]:
    """Long and short, with and without images, in no order."""
    made = []
    for n in range(count):
        images = (f"img{n % 6}",) if n % 3 else ()
        made.append(
            make_request(f"key{n}", ask("word " * (n * 5 % 7) + str(n), len(images)), images)
        )
    return made


def alone(engine: TransformersEngine, request: Request, tokens: int) -> str:
    """Generate by transformers' own greedy search, one request at a time."""
    text = engine.builder.render(request.messages, prefix=request.prefix)
    inputs = engine.builder.features(text, request.image_ids)
    made = engine.model.generate(**inputs, do_sample=False, max_new_tokens=tokens)
    out = made.sequences[0, inputs["input_ids"].shape[1] :]
    return str(engine.builder.tokenizer.decode(out, skip_special_tokens=True))


def test_greedy_text_is_that_of_each_request_alone(engine: TransformersEngine) -> None:
    given = requests()
    done = complete(engine, given, GREEDY)
    assert [c.key for c in done] == [r.key for r in given]
    assert [c.text for c in done] == [alone(engine, r, 12) for r in given]
    assert len({c.text for c in done}) > 3
    for completion, request in zip(done, given, strict=True):
        text = engine.builder.render(request.messages)
        assert (
            completion.prompt_tokens
            == engine.builder.features(text, request.image_ids)["input_ids"].shape[1]
        )


def test_the_same_call_gives_the_same_text_and_another_seed_another(
    engine: TransformersEngine,
) -> None:
    given = requests()
    once = complete(engine, given, DRAWN)
    assert complete(engine, given, DRAWN) == once
    other = complete(engine, given, replace(DRAWN, seed=6))
    assert sum(a.text != b.text for a, b in zip(once, other, strict=True)) >= 8


def test_a_text_does_not_depend_on_its_neighbours(engine: TransformersEngine) -> None:
    given = requests()
    done = {c.key: c.text for c in complete(engine, given, DRAWN)}
    few = complete(engine, given[5:2:-1], DRAWN)
    assert [c.text for c in few] == [done[c.key] for c in few]


def test_global_random_state_is_left_alone(engine: TransformersEngine) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    complete(engine, requests(2), DRAWN)
    assert torch.equal(torch.get_rng_state(), before)


def test_rows_that_end_early_leave_the_batch_and_change_nothing(
    tiny: Path, store: ImageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TransformersEngine(tiny, images=store, batch_size=24, dtype="float32")
    given = [make_request(f"k{n}", ask(f"{n} " * (n % 5), 1), (f"img{n % 6}",)) for n in range(24)]
    sizes: list[int] = []
    generate = engine.model.generate

    def watched(**inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        return generate(**inputs)

    monkeypatch.setattr(engine.model, "generate", watched)
    sampling = SamplingParams(8.0, 1.0, 300, 2)
    monkeypatch.setattr(module, "SMALL_BATCH", 1000)
    together = complete(engine, given, sampling)
    assert sizes == [24, 24]  # to read the prompts, and to write
    sizes.clear()
    monkeypatch.setattr(module, "SMALL_BATCH", 2)
    assert complete(engine, given, sampling) == together
    assert len(sizes) > 2 and sizes == sorted(sizes, reverse=True) and sizes[2] <= 12
    reasons = {c.finish_reason for c in together}
    assert reasons == {"stop", "length"}
    for completion in together:
        assert (completion.response_tokens == 300) or completion.finish_reason == "stop"
        assert "<end_of_utterance>" not in completion.text


def test_samples_of_one_problem_read_their_prompt_and_picture_once(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = requests(5)
    samples = [
        replace(one, key=f"{one.key} {n}", sampling=SamplingParams(2.0, 1.0, 12, n))
        for one in problems
        for n in range(4)
    ]
    wanted = [completion for one in samples for completion in complete_all(engine, [one])]
    read: list[tuple[int, int]] = []
    generate = engine.model.generate

    def watched(**inputs: Any) -> Any:
        read.append((len(inputs["input_ids"]), len(inputs.get("pixel_values", ()))))
        return generate(**inputs)

    monkeypatch.setattr(engine.model, "generate", watched)
    engine.batch_size = 100
    assert complete_all(engine, samples) == wanted
    # Those with an image, those without; each first reads its prompts, then writes.
    shown = sum(bool(one.image_ids) for one in problems)
    assert [read[0], read[1][:1]] == [(shown, shown), (4 * shown,)]
    assert (5 - shown, 0) in read and (20 - 4 * shown, 0) in read
    assert len({one.text for one in wanted}) > 15


def test_a_prefix_is_forced_and_not_returned(engine: TransformersEngine) -> None:
    request = make_request("k", ask("Is it right?"), prefix='{"status": "')
    [done] = complete(engine, [request], GREEDY)
    assert done.text == alone(engine, request, 12)
    assert done.text != complete(engine, [replace(request, prefix="")], GREEDY)[0].text


def test_scored_text_changes_no_text(engine: TransformersEngine) -> None:
    plain = [replace(one, constraint="start: /[a-z0-9 ]{6,9}/") for one in requests()]
    for sampling in (GREEDY, DRAWN):
        wanted = complete(engine, plain, sampling)
        given = [replace(one, scored_text="ab12"[: n % 5]) for n, one in enumerate(plain)]
        done = complete(engine, given, sampling)
        assert [replace(one, scored_prob=None, scored_lines=()) for one in done] == wanted
        assert [one.scored_prob is None for one in done] == [n % 5 == 0 for n in range(len(plain))]


def test_the_probability_of_a_text_is_that_of_its_tokens(engine: TransformersEngine) -> None:
    request = make_request(
        "k", ask("Is it right?", 1), ("img1",), prefix='{"status": "', scored_text='WRONG"}'
    )
    [done] = complete(engine, [request], DRAWN)
    text = engine.builder.render(request.messages, prefix=request.prefix)
    features = engine.builder.features(text, request.image_ids)
    prob = 1.0
    for token in engine.builder.target_ids(text, request.scored_text):
        logits = engine.model(**features).logits[0, -1].detach()
        logits[engine._never_written] = -torch.inf
        prob *= float(logits.softmax(0)[token])
        one = torch.ones((1, 1), dtype=torch.long)
        features = append_tokens(features, one * token, one)
    assert done.scored_prob == pytest.approx(prob, rel=1e-3) and 0 < prob < 1
    assert done.scored_lines == (pytest.approx(math.log(prob), rel=1e-3),)


def test_the_score_of_a_text_is_that_of_its_lines(engine: TransformersEngine) -> None:
    whole = "1. A=3\n2. 3+4=7\n\n7"
    request = make_request("k", ask("Solve it.", 1), ("img1",), scored_text=whole)
    [done] = complete(engine, [request], DRAWN)
    assert len(done.scored_lines) == 4 and all(line < 0 for line in done.scored_lines)
    assert math.exp(sum(done.scored_lines)) == pytest.approx(done.scored_prob)
    # Each line has its own tokens: a text that begins alike has the same first lines.
    other = replace(request, scored_text="1. A=3\n2. 3+4=7\n\n8 or 9")
    [changed] = complete(engine, [other], DRAWN)
    assert changed.scored_lines[:3] == pytest.approx(done.scored_lines[:3], abs=0.02)
    assert changed.scored_lines[3] != pytest.approx(done.scored_lines[3], abs=0.5)


def test_bad_requests_become_errors_and_the_rest_goes_on(engine: TransformersEngine) -> None:
    good = requests(4)
    bad = [
        make_request("broken", ask("x", 1), ("broken",)),
        make_request("noise", ask("x", 1), ("noise",)),
        make_request("nowhere", ask("x", 1), ("nowhere",)),
        make_request("long", ask("word " * 200)),
        make_request("images", ask("x", 2), ("img1",)),
        make_request("grammar", ask("x"), constraint="start: nowhere"),
    ]
    given = [bad[0], good[0], bad[1], bad[2], good[1], bad[3], bad[4], good[2], bad[5], good[3]]
    done = {c.key: c for c in complete(engine, given, GREEDY)}
    assert [c.key for c in complete(engine, given, GREEDY)] == [r.key for r in given]
    assert [done[r.key] for r in good] == complete(engine, good, GREEDY)
    for key, reason in [
        ("broken", "cannot be decoded"),
        ("noise", "cannot be decoded"),
        ("nowhere", "no image nowhere"),
        ("long", "at most 120 are allowed"),
        ("images", "processor refuses"),
        ("grammar", "grammar does not work"),
    ]:
        assert (
            done[key].finish_reason == "error"
            and done[key].text == ""
            and done[key].response_tokens == 0
        )
        assert reason in (done[key].error or ""), key
    assert done["long"].prompt_tokens > 200
    assert complete(engine, [bad[0]], GREEDY)[0].finish_reason == "error"
    assert complete(engine, [], GREEDY) == []


def test_a_models_own_generation_settings_do_not_count(
    tiny: Path, tmp_path: Path, engine: TransformersEngine
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    settings = json.loads((copy / "generation_config.json").read_text())
    settings |= {
        "repetition_penalty": 9.0,
        "do_sample": True,
        "temperature": 0.01,
        "top_k": 1,
        "max_length": 3,
    }
    (copy / "generation_config.json").write_text(json.dumps(settings))
    other = TransformersEngine(copy, images=engine.builder._pixels.images, dtype="float32")
    given = requests(4)
    assert complete(other, given, GREEDY) == complete(engine, given, GREEDY)
    assert complete(other, given, DRAWN) == complete(engine, given, DRAWN)


def test_bfloat16_runs_and_repeats(tiny: Path, store: ImageStore) -> None:
    engine = TransformersEngine(tiny, images=store, dtype="bfloat16")
    assert engine.model.dtype == torch.bfloat16
    once = complete(engine, requests(), DRAWN)
    assert once == complete(engine, requests(), DRAWN)
    assert all(c.finish_reason in ("stop", "length") for c in once)


@pytest.mark.parametrize(("computes", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_bfloat16_where_the_device_computes_it(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, computes: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("mathse.engines.precision.computes_bf16", lambda device: computes)
    assert TransformersEngine(tiny, dtype="auto").model.dtype == dtype


def test_digest_follows_what_the_model_is(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    assert model_digest(copy) == model_digest(tiny)
    (copy / "README.md").write_text("a model card")
    assert model_digest(copy) == model_digest(tiny)
    (copy / "chat_template.jinja").write_text("other")
    assert model_digest(copy) != model_digest(tiny)
    (copy / "model.safetensors").unlink()
    with pytest.raises(ParamError, match="not a model folder"):
        model_digest(copy)


def test_a_model_of_another_input_fingerprint_is_not_served(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    write_record(copy, {"input_fingerprint": "older"})
    with pytest.raises(DataError, match="trained with input fingerprint older"):
        TransformersEngine(copy)


@pytest.mark.parametrize("keep", [0, 7, 1000])
def test_damaged_weights_are_named(tiny: Path, tmp_path: Path, keep: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(DataError, match="cannot be loaded") as error:
        TransformersEngine(copy)
    assert error.value.file == str(weights) and "again" in str(error.value)


def test_settings_are_checked(tiny: Path) -> None:
    with pytest.raises(ParamError, match="batch_size"):
        TransformersEngine(tiny, batch_size=0)
    wrong: Any = "float12"
    with pytest.raises(ParamError, match="float12"):
        TransformersEngine(tiny, dtype=wrong)


def test_failed_completions_say_why() -> None:
    assert Completion.failed("k", "no", prompt_tokens=3) == Completion(
        "k", "", "error", 3, 0, None, "no", "permanent"
    )


def test_special_tokens_are_never_drawn(engine: TransformersEngine) -> None:
    """A drawn image token would fail its whole batch, where rows go on in a smaller one."""
    tokenizer = engine.builder.tokenizer
    image = tokenizer.convert_tokens_to_ids("<image>")
    assert image in engine._never_written and not {*engine._never_written} & {
        *engine.builder.stop_ids
    }
    # Every token is about equally likely.
    hot = [
        replace(one, sampling=SamplingParams(50.0, 1.0, 200, n))
        for n, one in enumerate(requests(12))
    ]
    prompts = [engine._check(one) for one in hot]
    good = [one for one in prompts if not isinstance(one, Completion)]
    written = engine._generate(good, engine._read_prompts(good))
    drawn = {token for row in written for token in row}
    assert len(drawn) > 100 and not drawn & {*engine._never_written}


def test_a_longer_limit_tries_refused_prompts_again(
    tiny: Path, store: ImageStore, tmp_path: Path
) -> None:
    given = [make_request("long", ask("word " * 30)), make_request("short", ask("a"))]

    def made(limit: int) -> list[Completion]:
        engine = TransformersEngine(
            tiny, images=store, batch_size=2, device="cpu", max_prompt_tokens=limit
        )
        return complete_all(JournaledEngine(engine, tmp_path, "solve"), given)

    refused, _ = made(12)
    assert refused.error and "at most 12" in refused.error
    assert not any(one.error for one in made(200))


def test_a_gpu_that_emulates_bf16_computes_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    for native in (True, False):
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation, found=native: found
        )
        assert auto_dtype("cuda") == (torch.bfloat16 if native else torch.float32)
