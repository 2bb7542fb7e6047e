"""What the tests train on. Processes import this module, so it imports no model library."""

from __future__ import annotations

from typing import Any

from mathse.core.params import Training
from mathse.training import Example
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
