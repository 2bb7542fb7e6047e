"""Python imports this at its start: in a stage, write down each parameter that the stage reads.

Lines of the file that MATHSE_PARAMS_LOG names: the command, a tab, the parameter with dots.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

LOG = os.environ.get("MATHSE_PARAMS_LOG")


def record(log: Path) -> None:
    from mathse.core import params

    names: dict[int, str] = {}
    kept: list[Any] = []  # an id belongs to one section as long as the section lives
    read: set[str] = set()
    plain, load = params.Section.__getattribute__, params.load_params

    def remember(section: Any, name: str) -> None:
        names[id(section)] = name
        kept.append(section)

    def get(self: Any, name: str) -> Any:
        value = plain(self, name)
        if id(self) in names and name in type(self).model_fields:
            path = ".".join(filter(None, [names[id(self)], name]))
            if isinstance(value, params.Section):
                remember(value, path)
            elif isinstance(value, dict) and path == "rounds":
                for key, one in value.items():
                    remember(one, f"{path}.{key}")
            elif path not in read:
                read.add(path)
                with log.open("a") as file:
                    file.write(f"{' '.join(sys.orig_argv[1:])}\t{path}\n")
        return value

    def load_recorded(path: Any) -> Any:
        loaded = load(path)
        remember(loaded, "")
        return loaded

    params.Section.__getattribute__ = get  # type: ignore[method-assign]
    params.load_params = load_recorded


if LOG and any(word.startswith("stages.") for word in sys.orig_argv):
    record(Path(LOG))
