"""What the tests train on. Processes import this module, so it imports no model library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mathse.core.errors import MathseError
from mathse.core.images import ImageStore
from mathse.core.machine import Machine
from mathse.core.params import Training
from mathse.training import Example
from mathse.training.launch import train
from tests.preload import preloaded_workers
from tests.tiny import ask

CONFIG = Training(
    learning_rate=5e-3, warmup_ratio=0.05, weight_decay=0.05, batch_size=4, steps=6, max_tokens=200
)


def changed(**values: Any) -> Training:
    return Training(**CONFIG.model_dump() | values)


def examples() -> list[Example]:
    words = ["one", "two", "three", "four", "five", "six"]
    with_image = [
        Example(w, ask(f"say {w}", 1), (f"img{n}",), f"It is {w}.") for n, w in enumerate(words)
    ]
    return [
        *with_image,
        *[Example(f"text {w}", ask(f"write {w}"), (), f"I write {w}.") for w in words],
    ]


def train_and_tell(init: Path, images: Path, work: Path, processes: int) -> None:
    """Train 40 steps in a folder; write there from which step, or why the training ended."""
    try:
        with preloaded_workers():
            report = train(
                examples(),
                init=init,
                out=work / "model",
                config=changed(steps=40, processes=processes),
                seed=0,
                images=ImageStore(images),
                checkpoints=work / "kept",
                curve=work / "curve.tsv",
                machine=Machine(device="cpu", save_every_steps=3),
            )
    except MathseError as error:
        (work / "said").write_text(str(error))
        raise SystemExit(1) from error
    (work / "said").write_text(str(report.resumed_from))
