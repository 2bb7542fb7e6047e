from __future__ import annotations

import atexit
import gc
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.params import PixelLimits
from mathse.core.processes import ONE_THREAD, no_garbage, single_run, start_worker
from tests.closure import ROOT
from tests.tiny import write_store


def send_environment(connection: Connection) -> None:
    """Send the number of threads and the level of the log."""
    level = logging.getLogger("mathse").getEffectiveLevel()
    connection.send((os.environ["OMP_NUM_THREADS"], level))


def test_a_worker_has_its_environment_and_logs_alike() -> None:
    logger = logging.getLogger("mathse")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        process, connection = start_worker(ONE_THREAD, send_environment)
    finally:
        logger.setLevel(before)
    assert connection.recv() == ("1", logging.INFO)
    process.join()
    assert process.exitcode == 0


class Registered:
    """Where a library would register what it has to do at the end of the process."""

    def __init__(self, file: Path, *, fails: bool) -> None:
        self.file, self.fails = file, fails

    def __call__(self, connection: Connection) -> None:
        atexit.register(self.file.write_text, "done")
        if self.fails:
            raise ValueError("as the test wants")


@pytest.mark.parametrize("fails", [False, True])
def test_a_worker_does_what_libraries_registered_for_its_end(fails: bool, tmp_path: Path) -> None:
    file = tmp_path / "end"
    process, _ = start_worker(ONE_THREAD, Registered(file, fails=fails))
    process.join()
    assert file.read_text() == "done" and process.exitcode == int(fails)


class SlowToTakeApart:
    """Leaves behind what takes long to take apart at the end of a process."""

    def __call__(self, connection: Connection) -> None:
        sys.left_behind = Slow()  # type: ignore[attr-defined]


class Slow:
    def __del__(self, sleep: Callable[[float], None] = time.sleep) -> None:
        sleep(30)


def test_a_worker_that_is_done_takes_nothing_apart() -> None:
    process, _ = start_worker(ONE_THREAD, SlowToTakeApart())
    process.join(20)
    assert process.exitcode == 0


def test_imports_are_not_searched_for_garbage() -> None:
    before = gc.get_freeze_count()
    try:
        with no_garbage():
            assert not gc.isenabled()
        assert gc.isenabled() and gc.get_freeze_count() > before
        with pytest.raises(ImportError), no_garbage():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()


PARENT = """
import sys
from functools import partial
from pathlib import Path
from mathse.core.processes import start_worker
from tests.core.test_processes import stay
if __name__ == "__main__":
    process, _ = start_worker({}, partial(stay, Path(sys.argv[1])))
    process.join()
"""


def stay(file: Path, connection: Connection | None = None) -> None:
    file.with_suffix(".part").write_text(str(os.getpid()))
    file.with_suffix(".part").rename(file)
    time.sleep(600)


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(file)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while not file.exists():
        assert parent.poll() is None
        time.sleep(0.02)
    worker = int(file.read_text())
    os.kill(worker, 0)  # it is there
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while (
        Path(f"/proc/{worker}/stat").exists()
        and Path(f"/proc/{worker}/stat").read_text().split()[2] != "Z"
    ):
        assert time.monotonic() < deadline, "the worker goes on"
        time.sleep(0.05)


def test_a_store_can_be_sent_to_another_process(tmp_path: Path) -> None:
    write_store(tmp_path, {"a": b"one", "b": b"two"})
    store = ImageStore(tmp_path, PixelLimits(max=9))
    assert store.get("a") == b"one"
    copy = pickle.loads(pickle.dumps(store))
    assert (
        isinstance(copy, ImageStore)
        and copy.get("b") == b"two"
        and copy._cache_bytes == store._cache_bytes
        and copy.pixels.max == 9
    )


def is_running(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


STAGE = """
import os, sys
from functools import partial
from pathlib import Path
from mathse.core.processes import end_with_dvc, start_worker
from tests.core.test_processes import stay
if __name__ == "__main__":
    end_with_dvc()
    Path(sys.argv[1]).with_name("stage").write_text(str(os.getpid()))
    process, _ = start_worker({}, partial(stay, Path(sys.argv[1])))
    process.join()
"""
DVC = """
import os, subprocess, sys
subprocess.run(["bash", "-c", '"$0" -c "$1" "$2"; true', sys.executable, *sys.argv[1:]])
"""


@pytest.mark.parametrize("by_dvc", [True, False])
def test_a_stage_and_its_workers_end_with_dvc(tmp_path: Path, by_dvc: bool) -> None:
    """DVC runs a stage by a shell; SIGTERM to it alone reaches neither the shell nor the stage."""
    started = tmp_path / "pid"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | ({"DVC_STAGE": "x"} if by_dvc else {})
    dvc = subprocess.Popen(
        [sys.executable, "-c", DVC, STAGE, str(started)], cwd=ROOT, env=environment
    )
    while not started.exists():
        assert dvc.poll() is None
        time.sleep(0.02)
    worker, stage = int(started.read_text()), int((tmp_path / "stage").read_text())
    assert is_running(worker) and is_running(stage)
    dvc.terminate()
    dvc.wait()
    deadline = time.monotonic() + (20 if by_dvc else 3)
    while (is_running(worker) or is_running(stage)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_running(stage) is not by_dvc, "by hand in a terminal it goes on"
    assert is_running(worker) is not by_dvc
    if not by_dvc:
        os.kill(stage, signal.SIGTERM)


INTERRUPTED = """
import os
from functools import partial
from pathlib import Path
from mathse.core.processes import start_worker
from mathse.core.run_stage import run
from tests.core.test_processes import stay
def stage(layout):
    _, connection = start_worker({}, partial(stay, Path(os.environ["STARTED"])))
    connection.poll(None)
if __name__ == "__main__":
    run(stage)
"""


def test_ctrl_c_ends_a_stage_in_one_line_and_its_workers_with_it(tmp_path: Path) -> None:
    """A terminal sends it to all processes of the group."""
    script, started = tmp_path / "generate.py", tmp_path / "pid"
    script.write_text(INTERRUPTED)
    stage = subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "STARTED": str(started)},
        stderr=subprocess.PIPE, start_new_session=True,
        # a shell's job in the background has Ctrl-C switched off, and its children with it
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    while not started.exists():
        assert stage.poll() is None
        time.sleep(0.02)
    os.killpg(stage.pid, signal.SIGINT)
    _, errors = stage.communicate(timeout=30)
    assert stage.returncode == 130
    assert errors == "\ngenerate: stopped. `dvc repro` goes on from what is done.\n"
    assert not is_running(int(started.read_text()))


def test_a_second_run_is_refused_and_named(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "score-r1"
    refusal = pytest.raises(ParamError, match=f"score r1 runs already .* process {os.getpid()}")
    with single_run(lock, "score r1"), refusal, single_run(lock, "score r1"):
        raise AssertionError
    with single_run(lock, "score r1"):
        pass


def test_a_lock_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file where the folder should be")
    lock = tmp_path / "locks" / "score-r1"
    with (
        pytest.raises(DataError, match="The lock of score r1 cannot be written") as error,
        single_run(lock, "score r1"),
    ):
        raise AssertionError
    assert error.value.file == str(lock) and "writable" in str(error.value)
