"""Run a stage as a command. Imports no table library: a stage without tables starts at once."""

from __future__ import annotations

import argparse
import gc
import inspect
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from mathse.core.errors import MathseError
from mathse.core.finished import remove_finished
from mathse.core.layout import Layout
from mathse.core.processes import end_with_dvc, end_workers, single_run
from mathse.core.quiet import quiet_transformers
from mathse.core.text import printable


def run(stage: Callable[..., None]) -> None:
    """Run a stage's function as a command; expected errors are printed without a traceback.

    It takes the layout and, if the stage belongs to a round, the round's name.
    """
    gc.freeze()  # what was imported stays; see `stages/__init__.py`
    gc.enable()
    module = inspect.getmodule(stage)
    name = Path(sys.argv[0]).stem
    command, of_round = f"python -m stages.{name}", len(inspect.signature(stage).parameters) > 1
    example = f"example: {command}{' r1' if of_round else ''}   (in the project's folder)"
    parser = argparse.ArgumentParser(command, description=module.__doc__, epilog=example)
    if of_round:
        parser.add_argument("round", help="a round of params.yaml, such as r1; or r0")
    words = vars(parser.parse_args()).values()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mathse").setLevel(logging.INFO)
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    quiet_transformers()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    end_with_dvc()
    layout = Layout()
    try:
        with single_run(layout.lock(name, *words), " ".join([name, *words])):
            remove_finished(layout)
            stage(layout, *words)
    except KeyboardInterrupt:
        end_workers()
        print(f"\n{name}: stopped. `dvc repro` goes on from what is done.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if not isinstance(error, MathseError) and type(error).__name__ != "ContractError":
            raise
        print(f"\n{name}: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)
