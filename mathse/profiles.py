"""Profiles: files that change some values of `params.yaml`, recorded so that they can be undone.

The comment at the head of a profile says what it is for. A line `# kind: model` there names its
kind: of two profiles of one kind, the second replaces the first.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
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
    """The text of `params.yaml` after a change, the record, and the profiles that are replaced."""

    text: str
    applied: list[Applied]
    replaced: list[str]


def list_profiles(root: Path) -> dict[str, str]:
    """Return the profiles by name, each with the first line of its comment."""
    files = sorted((root / "profiles").glob("*.yaml"))
    return {file.stem: _read(file).splitlines()[0].lstrip("# ") for file in files}


def applied_profiles(root: Path) -> list[Applied]:
    """Return the applied profiles, in order; one whose values were all changed back is left out."""
    if not (root / RECORD).is_file():
        return []
    text = _read(root / "params.yaml")
    record = [Applied(**entry) for entry in json.loads(_read(root / RECORD))]
    return [entry for entry in record if _revert(text, entry) != text]


def plan_profile(root: Path, name: str) -> Plan:
    """Return what a profile makes of `params.yaml`, comments kept, without writing it.

    Raises:
        ParamError: if the profile does not exist, names an unknown key, or the result is not valid.
    """
    file = root / "profiles" / f"{name}.yaml"
    if name not in list_profiles(root):
        raise ParamError(
            f"There is no profile {name!r}; there are: {', '.join(list_profiles(root))}"
        )
    applied, text = applied_profiles(root), _read(root / "params.yaml")
    kind = _KIND.search(_read(file))
    same = [entry for entry in applied if entry.name == name or (kind and entry.kind == kind[1])]
    for entry in reversed(same):
        text = _revert(text, entry)
    values = _YAML.load(text)
    _overlay(values, _YAML.load(_read(file)) or {}, str(file))
    new = _dump(values)
    _check(new, root / "params.yaml")
    kept = [entry for entry in applied if entry not in same]
    entry = Applied(name, kind[1] if kind else None, text, new)
    return Plan(new, [*kept, entry], [entry.name for entry in same if entry.name != name])


def apply_profile(root: Path, name: str) -> Plan:
    """Apply a profile to `params.yaml` and record it; raises as `plan_profile`."""
    return _write(root, plan_profile(root, name))


def undo_profile(root: Path) -> str:
    """Take back the profile applied last and return its name; values edited since then stay.

    Raises:
        ParamError: if no profile is applied.
    """
    applied = applied_profiles(root)
    if not applied:
        raise ParamError(f"No profile is applied to {root / 'params.yaml'}.")
    text = _revert(_read(root / "params.yaml"), applied[-1])
    _write(root, Plan(text, applied[:-1], []))
    return applied[-1].name


def changes(before: str, after: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key whose value differs between two texts of params, with both values."""
    old, new = (dict(_flatten(_YAML.load(text))) for text in (before, after))
    for key in sorted(old.keys() | new.keys(), key=[*old, *new].index):
        if old.get(key) != new.get(key):
            yield key, old.get(key), new.get(key)


def _write(root: Path, plan: Plan) -> Plan:
    (root / "params.yaml").write_text(plan.text, encoding="utf-8")
    (root / RECORD).parent.mkdir(exist_ok=True)
    record = [asdict(entry) for entry in plan.applied]
    (root / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return plan


def _revert(text: str, entry: Applied) -> str:
    """Set the values of a profile that are still there back to those before it."""
    if text == entry.after:
        return entry.before
    values, old = _YAML.load(text), _YAML.load(entry.before)
    current, found = dict(_flatten(values)), False
    for key, _, new in changes(entry.before, entry.after):
        if current.get(key) == new:
            found = True
            *sections, last = key.split(".")
            _section(values, sections)[last] = _section(old, sections)[last]
    return _dump(values) if found else text


def _overlay(values: Any, new: Any, file: str, prefix: str = "") -> None:
    for key, value in new.items():
        name = f"{prefix}{key}"
        if key not in values:
            raise ParamError(f"{file}: {name} is not a parameter; there are {', '.join(values)}")
        if isinstance(value, dict) and isinstance(values[key], dict) and name not in _WHOLE:
            _overlay(values[key], value, file, f"{name}.")
        else:
            values[key] = value


def _flatten(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and f"{prefix}{key}" not in _WHOLE:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _section(values: Any, sections: list[str]) -> Any:
    for name in sections:
        values = values[name]
    return values


def _check(text: str, file: Path) -> None:
    """Raise ParamError, naming the file, unless it may hold this text."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "params.yaml"
        trial.write_text(text, encoding="utf-8")
        try:
            load_params(trial)
        except ParamError as error:
            raise ParamError(str(error).replace(str(trial), str(file))) from error


def _dump(values: Any) -> str:
    out = io.StringIO()
    _YAML.dump(values, out)
    return out.getvalue()


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
