"""The classes that people fine-tune: train, save, load, generate, with transformers and vLLM."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mathse.core.images import ImageStore
from mathse.core.machine import Machine
from mathse.core.params import PixelLimits, Training
from mathse.engines import transformers_engine
from mathse.engines.inputs import InputBuilder
from mathse.engines.loading import load_engine
from mathse.engines.protocol import Request, SamplingParams, complete_all
from mathse.engines.transformers_engine import TransformersEngine
from mathse.training import Example
from mathse.training.train_loop import finetune
from tests.tiny import ask, draw_png, write_store
from tests.vllm import needs_vllm
from tests.vllm.conftest import role
from tests.vllm.true_classes import CLASSES, build

pytestmark = [pytest.mark.slow, needs_vllm]
CONFIG = Training(
    learning_rate=1e-3,
    warmup_ratio=0.0,
    weight_decay=0.0,
    batch_size=4,
    steps=2,
    max_tokens=200,
    precision="fp32",
    save_dtype="float32",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ImageStore:
    images = {f"img{n}": draw_png(n, size=(40 + 20 * n, 60)) for n in range(4)}
    return write_store(tmp_path_factory.mktemp("images"), images)


def requests() -> list[Request]:
    made = []
    for n in range(6):
        images = (f"img{n % 4}",) if n % 3 else ()
        messages = ask("word " * (n * 5 % 7) + str(n), len(images))
        made.append(Request(f"k{n}", messages, images, sampling=SamplingParams(0.0, 1.0, 16)))
    return made


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("name", CLASSES)
def test_it_trains_saves_loads_and_generates(
    name: str, method: str, store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = build(name, tmp_path / "base")
    words = ["one", "two", "three", "four"]
    examples = [
        Example(word, ask(f"say {word}", n % 2), (f"img{n}",) * (n % 2), f"It is {word}.")
        for n, word in enumerate(words)
    ]
    report = finetune(
        examples,
        init=base,
        out=tmp_path / "trained",
        config=CONFIG.model_copy(update={"method": method}),
        seed=0,
        images=store,
        checkpoints=tmp_path / "checkpoints",
        cpu=True,
    )
    assert report.metrics()["steps"] == 2
    engine = TransformersEngine(
        tmp_path / "trained", images=store, batch_size=6, dtype="float32", device="cpu"
    )
    given = requests()
    together = complete_all(engine, given)
    assert not any(one.error for one in together)
    assert [complete_all(engine, [one])[0].text for one in given] == [one.text for one in together]
    assert len({one.text for one in together}) > 2
    check_samples(engine, given, monkeypatch)
    if method == "lora":
        return  # it was merged: to vLLM it is a model like the other
    machine = Machine(device="cpu", inference_processes=1)
    served = load_engine(tmp_path / "trained", role("vllm", batch_size=8), store, machine)
    ours = complete_all(served, given)
    served.close()
    assert [replace(one, cached_tokens=0) for one in ours] == together


def test_pixel_limits_hold_in_vllm_too(tmp_path: Path) -> None:
    """vLLM has a processor of its own: it counts as many tiles as that of the training."""
    base, machine = build("internvl", tmp_path / "base"), Machine(device="cpu")
    folder = write_store(tmp_path / "images", {"wide": draw_png(3, size=(200, 90))}).folder
    given = [Request("k", ask("what", 1), ("wide",), sampling=SamplingParams(0.0, 1.0, 4))]
    counted = []
    for limits in (PixelLimits(), PixelLimits(max=56 * 56)):
        store = ImageStore(folder, limits)
        builder = InputBuilder.load(base, store)
        counted.append(builder.prompt_tokens(builder.render(given[0].messages), ["wide"]))
        engine = load_engine(base, role("vllm", batch_size=2), store, machine)
        [done] = complete_all(engine, given)
        engine.close()
        assert (done.error, done.prompt_tokens) == (None, counted[-1])
    assert counted[0] > counted[1]


def check_samples(
    engine: TransformersEngine, given: list[Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples that share what was read of prompt and picture are those of each request alone."""
    monkeypatch.setattr(transformers_engine, "SMALL_BATCH", 1)
    engine.batch_size = 3 * len(given)
    samples = [
        replace(
            one, key=f"{one.key} {n}", scored_text="It is " * n,
            sampling=SamplingParams(3.0, 1.0, 24, n),
        )
        for one in given
        for n in range(3)
    ]  # fmt: skip
    together = complete_all(engine, samples)
    alone = [complete_all(engine, [one])[0] for one in samples]
    assert [one.text for one in together] == [one.text for one in alone]
    assert len({one.text for one in alone}) > len(given)
    for one, other in zip(together, alone, strict=True):
        assert one.scored_prob == (other.scored_prob and pytest.approx(other.scored_prob, rel=1e-3))
    assert len({one.scored_prob for one in alone}) > len(given)
