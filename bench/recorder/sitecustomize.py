"""Python imports this at its start: write down each unit of work that a stage begins.

Lines of the file that MATHSE_UNITS_LOG names: `STAGE KIND HASH`. A unit is what a kill may cost: a
batch that a worker is handed, or a step of a training. `bench.kills` logs requests itself.
"""

from __future__ import annotations

import hashlib
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

LOG = os.environ.get("MATHSE_UNITS_LOG")


def begun(kind: str, *content: object) -> None:
    """Append a line; short appends of several processes do not mix."""
    digest = hashlib.sha256(repr(content).encode()).hexdigest()[:16]
    with open(LOG or os.devnull, "a", encoding="utf-8") as file:
        file.write(f"{os.environ.get('DVC_STAGE', '')} {kind} {digest}\n")


def watch_batches(module: Any) -> None:
    """Log what `serve` receives, in the worker."""
    serve = module.serve

    class Logged:
        def __init__(self, link: Any) -> None:
            self.poll, self._link, self.digest = link.poll, link, ""

        def send(self, message: Any) -> None:
            self.digest = getattr(message, "digest", self.digest)
            self._link.send(message)

        def recv(self) -> Any:
            unit = self._link.recv()
            if unit is not None:
                begun("batch", self.digest, [one.content() for one in unit])
            return unit

    def serve_logged(link: Any, load: Any, *, streams: bool) -> None:
        serve(Logged(link), load, streams=streams)

    serve_logged.__qualname__ = serve_logged.__name__ = "serve"
    serve_logged.__module__ = module.__name__  # pickled by name, and found here by the worker
    module.serve = serve_logged


def watch_steps(module: Any) -> None:
    """Log each step that the first process begins."""
    step = module.train_step

    def train_step(model: Any, optimizer: Any, accelerator: Any, *more: Any) -> Any:
        if accelerator.is_main_process:
            weights = next(p for p in model.parameters() if p.requires_grad).detach()
            begun("step", float(weights.double().sum()), float(weights.double().square().sum()))
        return step(model, optimizer, accelerator, *more)

    module.train_step = train_step


WATCHED = {"mathse.engines.pool": watch_batches, "mathse.training.step": watch_steps}


class Watcher:
    """Finds the modules to watch as usual, and changes them once they are loaded."""

    @staticmethod
    def find_spec(name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Return the spec of a module to watch, None for all others."""
        spec = PathFinder.find_spec(name, path) if name in WATCHED else None
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            load(module)
            WATCHED[name](module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if LOG:
    sys.meta_path.insert(0, Watcher)  # type: ignore[arg-type]
