"""Profiles: files that change some values of `params.yaml`, recorded so that they can be undone.

The comment at the head of a profile says what it is for. A line `# kind: model` there names its
kind: of two profiles of one kind, the second replaces the first.
"""

from __future__ import annotations

import functools
import io
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from operator import getitem
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from mathse.core.errors import ParamError
from mathse.core.params import load_params

RECORD = Path(".mathse/profiles.json")
_KIND = re.compile(r"^# kind: (\w+)", re.MULTILINE)  # "# kind: model"
_WHOLE = ("rounds", "problems.figures")  # replaced as a whole, not key by key
_YAML = YAML()
_YAML.width = 120
_YAML.representer.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
)


@dataclass(frozen=True)
class Applied:
    """One applied profile, with the text of `params.yaml` before and after it."""

    name: str
    kind: str | None
    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """What applying a profile does: the profiles applied after it, and those that it replaces."""

    applied: list[Applied]
    replaced: list[str]

    def changes(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield each key that the new profile changes, with the value before and after."""
        return _changes(self.applied[-1].before, self.applied[-1].after)


def list_profiles(root: Path) -> dict[str, str]:
    """Return the profiles by name, each with the first line of its comment."""
    files = sorted((root / "profiles").glob("*.yaml"))
    return {file.stem: file.read_text().splitlines()[0].lstrip("# ") for file in files}


def applied_profiles(root: Path) -> list[Applied]:
    """Return the applied profiles, in order; one whose values were all changed back is left out."""
    if not (root / RECORD).is_file():
        return []
    text = (root / "params.yaml").read_text(encoding="utf-8")
    record = [Applied(**entry) for entry in json.loads((root / RECORD).read_text())]
    return [entry for entry in record if _revert(text, entry) != text]


def plan_profile(root: Path, name: str) -> Plan:
    """Return what a profile makes of `params.yaml`, comments kept, without writing it.

    Raises:
        ParamError: if the profile does not exist, names an unknown key, or the result is not valid.
    """
    if name not in (known := list_profiles(root)):
        raise ParamError(f"There is no profile {name!r}; there are: {', '.join(known)}")
    file, params = root / "profiles" / f"{name}.yaml", root / "params.yaml"
    profile, text = file.read_text(encoding="utf-8"), params.read_text(encoding="utf-8")
    found = _KIND.search(profile)
    kind = found[1] if found else None
    applied = applied_profiles(root)
    same = [entry for entry in applied if entry.name == name or (kind and entry.kind == kind)]
    for entry in reversed(same):
        text = _revert(text, entry)
    values = _YAML.load(text)
    _overlay(values, _YAML.load(profile) or {}, str(file))
    new = Applied(name, kind, text, _dump(values))
    # The text is checked as a file of its own: params.yaml never holds one that is not valid.
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "params.yaml"
        trial.write_text(new.after, encoding="utf-8")
        try:
            load_params(trial)
        except ParamError as error:
            raise ParamError(str(error).replace(str(trial), str(params))) from error
    kept = [entry for entry in applied if entry not in same]
    return Plan([*kept, new], [entry.name for entry in same if entry.name != name])


def apply_profile(root: Path, name: str) -> Plan:
    """Apply a profile to `params.yaml` and record it; raises as `plan_profile`."""
    plan = plan_profile(root, name)
    _write(root, plan.applied[-1].after, plan.applied)
    return plan


def undo_profile(root: Path) -> str:
    """Take back the profile applied last and return its name; values edited since then stay.

    Raises:
        ParamError: if no profile is applied.
    """
    params, applied = root / "params.yaml", applied_profiles(root)
    if not applied:
        raise ParamError(f"No profile is applied to {params}.")
    _write(root, _revert(params.read_text(encoding="utf-8"), applied[-1]), applied[:-1])
    return applied[-1].name


def _write(root: Path, text: str, applied: list[Applied]) -> None:
    (root / "params.yaml").write_text(text, encoding="utf-8")
    (root / RECORD).parent.mkdir(exist_ok=True)
    (root / RECORD).write_text(json.dumps([asdict(entry) for entry in applied], indent=1) + "\n")


def _revert(text: str, entry: Applied) -> str:
    """Set the values of a profile that are still there back to those before it."""
    if text == entry.after:
        return entry.before
    values, old = _YAML.load(text), _YAML.load(entry.before)
    current = dict(_flatten(values))
    keys = [key for key, _, new in _changes(entry.before, entry.after) if current.get(key) == new]
    for key in keys:
        *sections, last = key.split(".")
        before = functools.reduce(getitem, sections, old)[last]
        functools.reduce(getitem, sections, values)[last] = before
    return _dump(values) if keys else text


def _overlay(values: Any, new: Any, file: str, prefix: str = "") -> None:
    for key, value in new.items():
        name = f"{prefix}{key}"
        if key not in values:
            raise ParamError(f"{file}: {name} is not a parameter; there are {', '.join(values)}")
        if isinstance(value, dict) and isinstance(values[key], dict) and name not in _WHOLE:
            _overlay(values[key], value, file, f"{name}.")
        else:
            values[key] = value


def _changes(before: str, after: str) -> Iterator[tuple[str, Any, Any]]:
    old, new = (dict(_flatten(_YAML.load(text))) for text in (before, after))
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def _flatten(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and f"{prefix}{key}" not in _WHOLE:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _dump(values: Any) -> str:
    out = io.StringIO()
    _YAML.dump(values, out)
    return out.getvalue()
