"""Another trainer on PATH: it gets rows and flags, and its model is checked and recorded."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import schemas
from mathse.core.errors import DataError, MathseError, ParamError
from mathse.core.images import ImageStore
from mathse.core.machine import Launcher
from mathse.core.params import Finetune, PixelLimits
from mathse.engines.input_fingerprint import read_record
from mathse.engines.inputs import InputBuilder
from mathse.prompts import solve_messages
from mathse.training import Example, TrainReport
from mathse.training.examples import Row, make_row
from mathse.training.external import processor_limits, train_elsewhere

TRAINER = """#!{python}
import json, os, shutil, sys
from pathlib import Path
words = sys.argv[2:]
flags = dict(zip(words[::2], words[1::2]))
folder = Path(flags.get("--dataset_dir", "."))
rows = [json.loads(line) for file in folder.glob("*.jsonl") for line in file.open()]
seen = dict(verb=sys.argv[1], flags=flags, env=dict(os.environ), rows=rows)
Path("{seen}").write_text(json.dumps(seen))
out = Path(flags["--output_dir"]) / "v0" / "checkpoint-20"
if {status}:
    sys.exit({status})
shutil.copy(folder / "images/img1.png", "{seen}.png")
shutil.copytree(flags.get("--model") or flags["--model_name_or_path"], out)
if not {losses}:
    sys.exit()
history = [dict(step=step, loss=3.0 - step / 10, learning_rate=1e-5) for step in (10, 20)]
(out / "trainer_state.json").write_text(json.dumps(dict(log_history=history)))
"""
STARTS_ANOTHER = """#!{python}
import subprocess, sys
from pathlib import Path
child = subprocess.Popen(["sleep", "60"])
Path("{seen}").write_text(str(child.pid))
sys.exit(child.wait())
"""
SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-5,
    "warmup_ratio": 0.1,
    "weight_decay": 0.0,
    "batch_size": 8,
    "max_tokens": 300,
    "frozen": ("vision_model",),
}


@pytest.fixture
def call(tmp_path: Path, tiny: Path, store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(
        name: str,
        status: int = 0,
        losses: bool = True,
        images: ImageStore = store,
        trainer: str = TRAINER,
        more: Sequence[dict[str, Any]] = (),
        **options: Any,
    ) -> TrainReport:
        command = {"llama-factory": "llamafactory-cli", "ms-swift": "swift"}[name]
        script = tmp_path / "bin" / command
        script.parent.mkdir(exist_ok=True)
        words = {"python": sys.executable, "seen": tmp_path / "seen.json"}
        script.write_text(trainer.format(**words, status=status, losses=losses))
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(script.parent), prepend=":")
        columns = schemas.column_types(schemas.Problem)
        types = {name: columns[name] for name in columns if name != "solution"}
        types |= schemas.column_types(schemas.TrainRow, "row_id", "response")
        types |= schemas.optional_types(schemas.TrainRow)
        first = {"problem_id": "p", "question": "How many?", "image_ids": ["img1"], "choices": []}
        first |= {"row_id": "r", "response": "There are 2."}
        rows = [dict.fromkeys(types) | first | row for row in ({}, *more)]
        return train_elsewhere(
            pl.DataFrame(rows, schema=types),
            images=images,
            init=str(tiny),
            out=tmp_path / "model",
            config=Finetune(**{**SETTINGS, **options}, trainer=name),
            seed=3,
            launcher=Launcher(processes=2),
            folder=tmp_path / "work",
            curve=tmp_path / "curve.tsv",
            trust_remote_code=False,
        )

    return run


@pytest.mark.parametrize("name", ["llama-factory", "ms-swift"])
def test_pixel_limits_hold_for_another_trainer(
    call: Any, name: str, tmp_path: Path, store: ImageStore
) -> None:
    images = ImageStore(store.folder, PixelLimits(max=100))
    call(name, images=images)
    with Image.open(tmp_path / "seen.json.png") as picture:
        assert 50 < picture.width * picture.height <= 100
    record = read_record(tmp_path / "model")
    known = InputBuilder.load(tmp_path / "model", images)  # refuses a model of other limits
    assert record is not None and record["input_fingerprint"] == known.input_fingerprint


@pytest.mark.parametrize("name", ["llama-factory", "ms-swift"])
def test_a_trainer_gives_a_model_back(call: Any, name: str, tmp_path: Path, tiny: Path) -> None:
    report = call(name, trainer_options={"template": "tiny", "report_to": None})
    seen = json.loads((tmp_path / "seen.json").read_text())
    flags = seen["flags"]
    assert seen["verb"] == ("train" if name == "llama-factory" else "sft")
    assert seen["env"]["NPROC_PER_NODE"] == "2"
    assert flags["--template"] == "tiny" and "--report_to" not in flags
    assert flags["--gradient_accumulation_steps"] == "4" and flags["--seed"] == "3"
    one, other = (load_file(f / "model.safetensors") for f in (tiny, tmp_path / "model"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    record = read_record(tmp_path / "model")
    assert record is not None and record["train"]["trainer"] == name and len(record["model"]) == 16
    assert record["input_fingerprint"] == InputBuilder.load(tmp_path / "model").input_fingerprint
    assert (report.steps, report.rows, report.first_loss, report.final_loss) == (20, 1, 2.0, 1.0)
    assert (tmp_path / "curve.tsv").read_text().splitlines()[1] == "10\t2.000000\t1e-05"
    assert not (tmp_path / "work").exists()


def test_a_file_among_the_options_is_found_from_the_trainer_s_folder(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("z3.json").write_text("{}")
    call("ms-swift", trainer_options={"deepspeed": "z3.json", "template": "z4.json"})
    flags = json.loads((tmp_path / "seen.json").read_text())["flags"]
    assert flags["--deepspeed"] == str(tmp_path / "z3.json") and flags["--template"] == "z4.json"


LONG = "Count them all. " * 300


@pytest.mark.parametrize("name", ["llama-factory", "ms-swift"])
def test_rows_that_are_too_long_are_left_out_and_counted_as_in_our_own_loop(
    call: Any,
    name: str,
    tmp_path: Path,
    tiny: Path,
    store: ImageStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    more = [
        {"row_id": "long", "response": LONG, "image_ids": ["img2"]},
        {"row_id": "draft", "draft": LONG, "error_step": 1, "error_analysis": "Too many words."},
        {"row_id": "noise", "image_ids": ["noise"]},
    ]
    report = call(name, more=more)
    unread = "against the rule: an image decodes"
    assert report.dropped == {"over max_tokens": ["long", "draft reflection"], unread: ["noise"]}
    assert report.metrics()["dropped"] == {unread: 1, "over max_tokens": 2}
    assert report.rows == 2
    assert f"{name}: left out 2 of 5 rows, over max_tokens: long, draft reflection" in caplog.text
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert [row["messages"][1]["content"] for row in seen["rows"]] == ["There are 2."] * 2
    # Well above our own count of the longest row: the trainer's chat template may be longer.
    flag = "--cutoff_len" if name == "llama-factory" else "--max_length"
    solve = Example("r", solve_messages("How many?", [], 1), ("img1",), "There are 2.")
    row = make_row(solve, InputBuilder.load(tiny, store), max_tokens=300)
    assert isinstance(row, Row) and int(seen["flags"][flag]) == 2 * row.tokens


@pytest.mark.parametrize("name", ["llama-factory", "ms-swift"])
def test_nothing_to_train_on_is_said_before_the_trainer_starts(
    call: Any, name: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="of 1 rows, 1 over max_tokens"):
        call(name, max_tokens=3)
    assert not (tmp_path / "seen.json").exists()


def test_pictures_are_not_scaled_again(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sent in the export, they are within the limits: LLaMA-Factory has others of its own."""
    call("llama-factory")
    flags = json.loads((tmp_path / "seen.json").read_text())["flags"]
    assert (flags["--image_max_pixels"], flags["--image_min_pixels"]) == (str(1 << 40), "0")
    monkeypatch.setenv("MAX_PIXELS", "100")
    monkeypatch.setenv("IMAGE_MAX_TOKEN_NUM", "1")
    call("ms-swift")
    given = json.loads((tmp_path / "seen.json").read_text())["env"]
    assert "MAX_PIXELS" not in given and "IMAGE_MAX_TOKEN_NUM" not in given


def test_qwen_keeps_the_limits_of_its_own_processor(tmp_path: Path, tiny: Path) -> None:
    from transformers import Qwen2VLImageProcessorPil

    builder = InputBuilder.load(tiny)
    assert processor_limits(builder) == {}
    size = {"shortest_edge": 3136, "longest_edge": 1003520}
    builder.processor = SimpleNamespace(image_processor=Qwen2VLImageProcessorPil(size=size))
    assert processor_limits(builder) == {"MIN_PIXELS": "3136", "MAX_PIXELS": "1003520"}


def test_what_a_trainer_lacks_is_named(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MathseError, match="swift ended with 3"):
        call("ms-swift", status=3)
    with pytest.raises(DataError, match="left no losses"):
        call("ms-swift", losses=False)
    with monkeypatch.context() as patch, pytest.raises(ParamError, match="no command swift"):
        patch.setattr("shutil.which", lambda command: None)
        call("ms-swift")


def test_a_batch_that_cannot_be_divided_is_refused(call: Any) -> None:
    with pytest.raises(ParamError, match=r"batch_size: 9 is not a multiple of .* \(2\)"):
        call("ms-swift", batch_size=9)


def test_what_a_trainer_has_started_ends_with_it(call: Any, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"

    def stop() -> None:
        while not (seen.is_file() and seen.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)  # as `dvc` does when it has to end

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(MathseError, match="swift ended with -15"):
        call("ms-swift", trainer=STARTS_ANOTHER)
    status = Path(f"/proc/{seen.read_text()}/status")
    for _ in range(100):
        if not status.is_file() or "zombie" in status.read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("the trainer's own process goes on")
