"""Training in several processes: as one does, with errors, and with kills."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from mathse.core.errors import DataError, MathseError, ParamError
from mathse.core.finished import FINISHED
from mathse.core.ids import folder_digest
from mathse.core.images import ImageStore
from mathse.core.machine import Launcher, Machine
from mathse.core.processes import ONE_THREAD
from mathse.training.launch import train
from tests.training.conftest import Fit
from tests.training.given import changed, examples

ROOT = Path(__file__).resolve().parents[2]


def weights(folder: Path) -> dict[str, Any]:
    return load_file(folder / "model.safetensors")


RUN = """
import sys
import threading
from pathlib import Path
from mathse.core.images import ImageStore
from mathse.core.machine import Machine
from mathse.training.launch import train
from tests.training.given import changed, examples
processes = int(sys.argv.pop())
tiny, images, work, out = (Path(argument) for argument in sys.argv[1:])
report = train(
    examples(), init=tiny, out=out, config=changed(steps=40, processes=processes), seed=0,
    images=ImageStore(images), checkpoints=work / "kept", curve=work / "curve.tsv",
    machine=Machine(device="cpu", save_every_steps=3),
)
print("resumed from", report.resumed_from)
"""


def test_a_gpu_trains_whatever_processes_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ParamError, match="has a GPU, and PyTorch .* cannot use it"):
        train(examples(), config=changed(), machine=Machine(), checkpoints=tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "mathse.training.train_loop.finetune", lambda rows, **given: asked.append(given)
    )
    config = changed(processes=2)
    train(examples(), config=config, machine=Machine(), checkpoints=tmp_path)
    (given,) = asked
    assert given["cpu"] is False and given["config"] is config


def test_more_processes_than_gpus_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    machine = Machine(launcher=Launcher(processes=3))
    with pytest.raises(ParamError, match=r"launcher.processes.*3, and this machine has 2 GPUs"):
        train(examples(), config=changed(), machine=machine, checkpoints=tmp_path)


def test_two_processes_train_as_one_does(
    fit: Fit, tiny: Path, store: ImageStore, tmp_path: Path
) -> None:
    """Up to rounding: the rows of a step are padded and summed in other groups.

    Some steps are clipped and some are not: AdamW alone hides gradients of the wrong size.
    """
    config = changed(precision="fp32", save_dtype="float32", span_weight=3.0, max_grad_norm=4.0)
    alone = fit("alone", config=config)
    given: dict[str, Any] = {
        "init": tiny,
        "images": store,
        "seed": 0,
        "config": config.model_copy(update={"processes": 2}),
        "checkpoints": tmp_path / "kept",
        "machine": Machine(device="cpu", save_every_steps=0),
    }
    shared = train(examples(), out=tmp_path / "shared", curve=tmp_path / "curve.tsv", **given)
    assert shared.final_loss == pytest.approx(alone.final_loss, rel=1e-4)
    assert (shared.steps, shared.samples, shared.target_tokens) == (
        alone.steps,
        alone.samples,
        alone.target_tokens,
    )
    one, other = weights(tmp_path / "alone"), weights(tmp_path / "shared")
    assert one.keys() == other.keys()
    assert all((one[name] - other[name]).abs().max() < 1e-3 for name in one)
    assert (tmp_path / "curve.tsv").read_text().count("\n") == 2


def test_errors_in_a_process_are_raised(tiny: Path, store: ImageStore, tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "init": tiny,
        "images": store,
        "seed": 0,
        "checkpoints": tmp_path / "kept",
        "out": tmp_path / "out",
        "machine": Machine(device="cpu"),
    }
    with pytest.raises(DataError, match="loss of step"):
        train(examples(), config=changed(processes=2, learning_rate=1e30), **given)
    assert not (tmp_path / "out").exists()


def test_processes_that_wait_for_a_failed_one_are_ended(
    tiny: Path, store: ImageStore, tmp_path: Path
) -> None:
    """Rank 1 fails at its first picture, while rank 0 is busy for much longer than the test."""
    started = time.monotonic()
    with pytest.raises(OSError, match="rank 1 cannot read"):
        train(
            examples(),
            config=changed(processes=2),
            init=tiny,
            images=StuckStore(store.folder),
            seed=0,
            checkpoints=tmp_path / "kept",
            out=tmp_path / "out",
            machine=Machine(device="cpu"),
        )
    assert time.monotonic() - started < 45


class StuckStore(ImageStore):
    """Pictures that rank 1 cannot read, and that rank 0 waits for once the steps have begun."""

    def __reduce__(self) -> tuple[object, ...]:
        """Send the folder to another process."""
        return StuckStore, (self.folder,)

    def get(self, image_id: str) -> bytes:
        """Return the picture's bytes."""
        if os.environ.get("RANK") == "1":
            raise OSError("rank 1 cannot read")
        if threading.current_thread() is not threading.main_thread():  # the batches are made there
            time.sleep(60)
        return super().get(image_id)


def test_a_process_that_is_killed_is_an_error_for_people(
    tiny: Path, store: ImageStore, tmp_path: Path
) -> None:
    others = set(multiprocessing.active_children())  # of tests before this one

    def kill() -> None:
        while not (workers := set(multiprocessing.active_children()) - others):
            time.sleep(0.01)
        os.kill(workers.pop().pid or 0, signal.SIGKILL)

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(MathseError, match=r"for want of memory(.|\n)*micro_batch_size"):
        train(
            examples(),
            config=changed(processes=2),
            init=tiny,
            images=store,
            seed=0,
            checkpoints=tmp_path / "kept",
            out=tmp_path / "out",
            machine=Machine(device="cpu"),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("processes", "asked"), [(1, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGINT)]
)
def test_killed_runs_go_on_and_end_in_the_same_bytes(
    tiny: Path, store: ImageStore, tmp_path: Path, processes: int, asked: signal.Signals
) -> None:
    def start(work: Path) -> subprocess.Popen[str]:
        arguments = [str(tiny), str(store.folder), str(work), str(work / "model"), str(processes)]
        return subprocess.Popen(
            [sys.executable, "-c", RUN, *arguments],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
        )

    def resumed_from(run: subprocess.Popen[str]) -> int:
        output, errors = run.communicate()
        assert run.returncode == 0, errors
        return int(output.split()[-1])

    def last_checkpoint() -> int:
        return max(
            (int(path.name[5:]) for path in (tmp_path / "killed" / "kept").glob("*/step-*")),
            default=0,
        )

    def kill_after(process: subprocess.Popen[str], step: int, kind: signal.Signals) -> str:
        while process.poll() is None and last_checkpoint() < step:
            time.sleep(0.005)
        assert process.poll() is None, "the run ended before it could be killed"
        process.send_signal(kind)
        _, errors = process.communicate()
        assert process.returncode == (-kind if kind == signal.SIGKILL else 1)
        return errors

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir(), killed.mkdir()
    first = start(whole)
    kill_after(start(killed), 3, signal.SIGKILL)
    message = kill_after(start(killed), 9, asked)
    stopped = int(message.split("Stopped as asked after step ")[1].split()[0])
    assert stopped == last_checkpoint() and "dvc repro" in message
    assert not (killed / "model").exists()
    assert resumed_from(start(killed)) == stopped
    assert resumed_from(first) == 0
    assert folder_digest(whole / "model") == folder_digest(killed / "model")
    assert (whole / "curve.tsv").read_bytes() == (killed / "curve.tsv").read_bytes()
    [mark] = (killed / "kept").glob(f"*/{FINISHED}")
    assert mark.read_text() == hashlib.md5((killed / "curve.tsv").read_bytes()).hexdigest()
    assert last_checkpoint() == 40  # killed before DVC caches the model, it trains no step again
    assert resumed_from(start(killed)) == 40
    assert folder_digest(whole / "model") == folder_digest(killed / "model")
