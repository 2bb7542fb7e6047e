from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from transformers import Idefics3ForConditionalGeneration

from mathse.core.errors import DataError, ParamError
from mathse.core.finished import FINISHED
from mathse.core.ids import folder_digest
from mathse.core.images import ImageStore
from mathse.engines.input_fingerprint import read_record
from mathse.engines.inputs import InputBuilder
from mathse.engines.protocol import Request, SamplingParams, complete_all
from mathse.engines.transformers_engine import TransformersEngine
from mathse.training import Example, checkpoints, train_loop
from tests.tiny import ask
from tests.training.conftest import Fit
from tests.training.given import changed, examples

ROOT = Path(__file__).resolve().parents[2]


def weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "model.safetensors")


@pytest.mark.slow
def test_what_is_trained_is_what_is_generated(fit: Fit, tmp_path: Path, store: ImageStore) -> None:
    """Rows learnt by heart come back: training and generation agree on prompt, pixels and end."""
    report = fit(config=changed(steps=150))
    assert report.final_loss < 0.1 < 2 < report.first_loss
    engine = TransformersEngine(tmp_path / "out", images=store, dtype="bfloat16", batch_size=5)
    greedy = SamplingParams(0.0, 1.0, 40)
    requests = [Request(e.key, e.messages, e.image_ids, sampling=greedy) for e in examples()]
    done = complete_all(engine, requests)
    assert [c.text for c in done] == [e.target for e in examples()]
    assert {c.finish_reason for c in done} == {"stop"}


def test_the_same_run_gives_the_same_bytes_and_another_seed_others(
    fit: Fit, tmp_path: Path
) -> None:
    first = fit("a")
    assert fit("b") == first
    assert folder_digest(tmp_path / "a") == folder_digest(tmp_path / "b")
    fit("c", seed=1)
    assert any((weights(tmp_path / "a")[k] != v).any() for k, v in weights(tmp_path / "c").items())


def test_the_folder_is_a_whole_model_with_its_record(fit: Fit, tmp_path: Path, tiny: Path) -> None:
    report = fit(curve=tmp_path / "curve.tsv", config=changed(steps=12))
    out = tmp_path / "out"
    record = read_record(out)
    assert (
        record is not None
        and record["input_fingerprint"]
        == InputBuilder.load(tiny).input_fingerprint
        == InputBuilder.load(out).input_fingerprint
    )
    assert record["train"]["learning_rate"] == 5e-3 and record["steps"] == 12
    assert all(str(value.dtype) == "torch.bfloat16" for value in weights(out).values())
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    assert json.loads((out / "config.json").read_text()).get("use_cache", True) is True
    assert weights(out).keys() == weights(tiny).keys(), "tied weights are written once"
    assert str(tmp_path) not in "".join(
        f.read_text() for f in out.glob("*.json")
    )  # no path, so the same bytes anywhere
    lines = [line.split("\t") for line in (tmp_path / "curve.tsv").read_text().splitlines()]
    assert lines[0] == ["step", "loss", "learning_rate"] and [line[0] for line in lines[1:]] == [
        "10",
        "12",
    ]
    left = [path.name for path in (tmp_path / "kept").iterdir()]
    assert left == ["log.jsonl"] and not list(tmp_path.glob(".*"))
    assert report.metrics() | {"first_loss": 0, "final_loss": 0, "target_tokens": 0} == {
        "steps": 12,
        "samples": 48,
        "rows": 12,
        "dropped": {},
        "first_loss": 0,
        "final_loss": 0,
        "target_tokens": 0,
    }
    assert report.target_tokens > 48 and report.resumed_from == 0


def test_dropped_rows_are_reported(fit: Fit, caplog: pytest.LogCaptureFixture) -> None:
    extra = [Example("long", ask("x"), (), "word " * 300), Example("none", ask("x"), (), "")]
    with caplog.at_level(logging.INFO):
        report = fit(examples=[*examples(), *extra], config=changed(steps=1))
    assert report.dropped == {"over max_tokens": ["long"], "empty target": ["none"]}
    assert report.metrics()["dropped"] == {"over max_tokens": 1, "empty target": 1}
    assert "left out 1 of 14 rows, over max_tokens: long" in caplog.text
    assert "first labels: " in caplog.text and "<end_of_utterance>" in caplog.text


def test_micro_batches_add_up_to_the_batch(fit: Fit, tmp_path: Path) -> None:
    config = changed(precision="fp32", save_dtype="float32", steps=3, learning_rate=1e-3)
    whole = fit("whole", config=config)
    parts = fit("parts", config=config.model_copy(update={"micro_batch_size": 1}))
    assert parts.final_loss == pytest.approx(whole.final_loss, rel=1e-4)
    other = weights(tmp_path / "parts")
    for name, value in weights(tmp_path / "whole").items():
        assert (value - other[name]).abs().max() < 2e-4, name


def test_frozen_parameters_stay(fit: Fit, tmp_path: Path, tiny: Path) -> None:
    fit(config=changed(frozen=("vision_model",)))
    before, after = weights(tiny), weights(tmp_path / "out")
    moved = {
        name for name, value in after.items() if name in before and (value != before[name]).any()
    }
    assert any("text_model" in name for name in moved) and not any(
        "vision_model" in name for name in moved
    )
    with pytest.raises(ParamError, match="no parameter's name contains 'visoin'"):
        fit(config=changed(frozen=("visoin",)))
    with pytest.raises(ParamError, match="nothing to train"):
        fit(config=changed(frozen=(".",)))


def test_an_infinite_loss_stops_the_run(fit: Fit, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The loss of step") as error:
        fit(config=changed(learning_rate=1e30, steps=20, precision="fp32"))
    assert "lower the learning rate" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_batches_must_divide(fit: Fit) -> None:
    with pytest.raises(ParamError, match="batch_size 4 is not a multiple of micro_batch_size 3"):
        fit(config=changed(micro_batch_size=3))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0),
        ("warmup_ratio", 1.5),
        ("weight_decay", -1.0),
        ("batch_size", 0),
        ("steps", 0),
        ("epochs", 0.0),
        ("max_tokens", 0),
        ("precision", "fp8"),
        ("max_grad_norm", 0.0),
        ("span_weight", 0.0),
        ("save_dtype", "int8"),
    ],
)
def test_values_outside_their_range_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        changed(**{name: value})


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Call something that trains, and end it in its sixth step."""
    step = train_loop.train_step

    def call(training: Callable[[], object]) -> None:
        calls = iter(range(5))

        def die(*args: Any) -> tuple[float, float]:
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return step(*args)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(train_loop, "train_step", die)
            training()

    return call


def test_a_run_goes_on_from_its_own_checkpoint(fit: Fit, tmp_path: Path, dying: Any) -> None:
    fit("whole")
    dying(lambda: fit(save_every_steps=2))
    [folder] = (path.parent for path in (tmp_path / "kept").glob("*/step-*"))
    assert [path.name for path in folder.iterdir()] == ["step-00000004"]
    (folder / "part-00000006").mkdir()  # what a run that dies while saving leaves
    assert fit(save_every_steps=5, config=changed(micro_batch_size=4)).resumed_from == 4
    assert weights_equal(tmp_path / "out", tmp_path / "whole")
    assert not any((tmp_path / "kept").glob("*/step-*"))


def test_checkpoints_of_another_run_are_kept_and_reported(
    fit: Fit, tmp_path: Path, dying: Any, caplog: pytest.LogCaptureFixture
) -> None:
    dying(lambda: fit(save_every_steps=2))
    [checkpoint] = (tmp_path / "kept").glob("*/step-*")
    assert fit("other", seed=9, examples=examples()[:8]).resumed_from == 0
    assert f"{checkpoint} is of another run (different: examples, train.seed)" in caplog.text
    caplog.clear()
    assert fit(save_every_steps=2).resumed_from == 4  # the settings came back
    assert "is of another run" not in caplog.text


def test_a_damaged_checkpoint_is_named_and_not_removed(
    fit: Fit, tmp_path: Path, dying: Any
) -> None:
    dying(lambda: fit(save_every_steps=2))
    [weights_file] = (tmp_path / "kept").glob("*/step-*/*.distcp")
    weights_file.write_bytes(weights_file.read_bytes()[:-100])
    with pytest.raises(DataError, match="checkpoint cannot be read") as error:
        fit()
    assert str(weights_file.parent) in str(error.value) and weights_file.is_file()
    assert "Traceback" not in str(error.value)  # which torch's own words hold


def test_after_a_damaged_checkpoint_is_deleted_the_run_starts_again(
    fit: Fit, tmp_path: Path, dying: Any
) -> None:
    fit("whole", save_every_steps=2, curve=tmp_path / "curve.tsv")
    [checkpoint] = (tmp_path / "kept").glob("*/step-*")
    shutil.rmtree(checkpoint)
    assert fit(save_every_steps=2, curve=tmp_path / "curve.tsv").resumed_from == 0
    assert weights_equal(tmp_path / "out", tmp_path / "whole")
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == [
        FINISHED, checkpoint.name]  # fmt: skip


def test_the_log_of_a_run_that_was_killed_has_each_step_once(
    fit: Fit, tmp_path: Path, dying: Any
) -> None:
    dying(lambda: fit(save_every_steps=2))
    log = tmp_path / "kept" / "log.jsonl"
    assert len(log.read_text().splitlines()) == 5
    assert fit(save_every_steps=2).resumed_from == 4
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [*range(1, 7)]


def test_a_log_that_cannot_be_written_is_named(fit: Fit, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"No space left") as error:
        fit()
    assert "log.jsonl" in str(error.value)


def test_the_checkpoint_stays_until_the_model_is_written(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(DataError, match="No space left") as error:
        patch.setattr(Idefics3ForConditionalGeneration, "save_pretrained", full)
        fit(save_every_steps=2)
    assert str(tmp_path / "out") in str(error.value) and "free space" in str(error.value)
    assert fit(save_every_steps=2).resumed_from == 6


def test_a_checkpoint_that_cannot_be_written_is_named(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **more: Any) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/3")  # as torch has it

    monkeypatch.setattr(checkpoints.state_dict_saver, "save", full)
    with pytest.raises(DataError, match="cannot be written: PytorchStreamWriter") as error:
        fit(save_every_steps=2)
    assert "part-00000002" in str(error.value)


@pytest.mark.parametrize("damage", ["cut", "incomplete"])
def test_damaged_weights_are_named(fit: Fit, tiny: Path, tmp_path: Path, damage: str) -> None:
    init = tmp_path / "init"
    shutil.copytree(tiny, init)
    file = init / "model.safetensors"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        some = {name: value for name, value in load_file(file).items() if "norm" not in name}
        save_file(some, file, metadata={"format": "pt"})
    with pytest.raises(DataError, match="cannot be loaded") as error:
        fit(init=init)
    assert str(init) in str(error.value) and "dvc repro" in str(error.value)


def weights_equal(one: Path, other: Path) -> bool:
    return (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
