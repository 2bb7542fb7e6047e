"""Profiles: files that change some values of `params.yaml`, recorded so that they can be undone.

The comment at the head of a profile says what it is for. A line `# kind: model` there names its
kind: of two profiles of one kind, the second replaces the first.
"""

from __future__ import annotations

import io
import json
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from mathse.core.errors import ParamError
from mathse.core.params import load_params

RECORD = Path(".mathse/profiles.json")
_KIND = re.compile(r"^# kind: (\w+)", re.MULTILINE)  # "# kind: model"
_WHOLE = ("rounds", "problems.figures")  # replaced as a whole, not key by key
_MISSING = object()
_YAML = YAML()
_YAML.width = 120
_YAML.representer.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
)


@dataclass(frozen=True)
class Applied:
    """One applied profile, with the text of `params.yaml` before and after it, and its own text."""

    name: str
    kind: str | None
    before: str
    after: str
    profile: str = ""  # records of 0.1.0 have none
    replaced: Sequence[str] = ()  # profiles that were taken back for it

    def values(self) -> dict[str, Any]:
        """Return what the profile sets; without its text, what it changed."""
        if self.profile:
            return _YAML.load(self.profile) or {}
        found: dict[str, Any] = {}
        for path, _, new in _changes(self):
            section = found
            for name in path[:-1]:
                section = section.setdefault(name, {})
            section[path[-1]] = new
        return found


@dataclass(frozen=True)
class Plan:
    """What applying a profile does: the record after it, and the profiles that it replaces."""

    applied: list[Applied]
    replaced: list[str]

    def changes(self) -> Iterator[tuple[str, Any, Any]]:
        """Yield each key that the new profile changes, with the value before and after."""
        for path, before, after in _changes(self.applied[-1]):
            yield ".".join(map(str, path)), before, after

    def overridden(self) -> Iterator[tuple[str, list[str]]]:
        """Yield each profile that stays applied, and its keys that the new one changes."""
        changed = {path: new for path, _, new in _changes(self.applied[-1])}
        for entry in self.applied[:-1]:
            keys = [path for path, _, new in _changes(entry) if changed.get(path, new) != new]
            if keys:
                yield entry.name, [".".join(map(str, path)) for path in keys]


@dataclass(frozen=True)
class Undone:
    """What taking a profile back did.

    Attributes:
        name: of the profile.
        kept: its keys that were changed since: they stay as they are.
        replaced: profiles that it had replaced: they are not applied again.
    """

    name: str
    kept: list[str]
    replaced: list[str]


@dataclass(frozen=True)
class _Layer:
    """An applied profile, and what of it is still there once those after it are taken back."""

    entry: Applied
    in_force: dict[str, Any]
    counts: bool


def list_profiles(root: Path) -> dict[str, str]:
    """Return the profiles by name, each with the first line of its comment."""
    files = sorted((root / "profiles").glob("*.yaml"))
    first = {file.stem: _read(file).partition("\n")[0] for file in files}
    return {name: line.lstrip("# ") for name, line in first.items()}


def applied_profiles(root: Path) -> list[Applied]:
    """Return the applied profiles, in order; one whose values were all changed back is left out.

    Raises:
        ParamError: if the record or `params.yaml` cannot be read.
    """
    record = _read_record(root)
    if not record:
        return []
    _, layers = _take_apart(_read_params(root), record)
    return [layer.entry for layer in layers if layer.counts]


def plan_profile(root: Path, name: str) -> Plan:
    """Return what a profile makes of `params.yaml`, comments kept, without writing it.

    Raises:
        ParamError: if the profile does not exist, names an unknown key, the result is not valid,
            or a file cannot be read.
    """
    if name not in (known := list_profiles(root)):
        raise ParamError(f"There is no profile {name!r}; there are: {', '.join(known)}")
    file, params = root / "profiles" / f"{name}.yaml", root / "params.yaml"
    profile, text = _read(file), _read_params(root)
    found = _KIND.search(profile)
    kind = found[1] if found else None

    # Take out what it replaces, and set its values.
    record = _read_record(root)
    same = {
        index
        for index, entry in enumerate(record)
        if entry.name == name or (kind and entry.kind == kind)
    }
    text, others, replaced = _take_out(text, record, same)
    values = _YAML.load(text)
    _overlay(values, _parse(profile, file), str(file))
    gone = [old for old in replaced if old != name]
    new = Applied(name, kind, text, _dump(values), profile, gone)

    # The text is checked as a file of its own: params.yaml never holds one that is not valid.
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "params.yaml"
        trial.write_text(new.after, encoding="utf-8")
        try:
            load_params(trial)
        except ParamError as error:
            raise ParamError(str(error).replace(str(trial), str(params))) from error
    return Plan([*others, new], gone)


def apply_profile(root: Path, name: str) -> Plan:
    """Apply a profile to `params.yaml` and record it; raises as `plan_profile`."""
    plan = plan_profile(root, name)
    _write(root, plan.applied[-1].after, plan.applied)
    return plan


def undo_profile(root: Path) -> Undone:
    """Take back the profile applied last; values edited since then stay.

    Raises:
        ParamError: if no profile is applied, or a file cannot be read.
    """
    text, record = _read_params(root), _read_record(root)
    _, layers = _take_apart(text, record)
    last = max((index for index, layer in enumerate(layers) if layer.counts), default=None)
    if last is None:
        raise ParamError(f"No profile is applied to {root / 'params.yaml'}.")
    now = _YAML.load(text)
    kept = [
        path for path, _, new in _changes(record[last]) if _value(now, path) not in (new, _MISSING)
    ]
    text, others, _ = _take_out(text, record, {last})
    _write(root, text, others)
    entry = record[last]
    return Undone(entry.name, [".".join(map(str, path)) for path in kept], [*entry.replaced])


def _value(values: Any, path: Sequence[str]) -> Any:
    for name in path:
        values = values.get(name, _MISSING) if isinstance(values, dict) else _MISSING
    return values


def _read(file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ParamError(f"{file}, line {line}: the text is not UTF-8; save it in UTF-8") from error


def _read_params(root: Path) -> str:
    """Return the text of `params.yaml` once it has been parsed."""
    text = _read(root / "params.yaml")
    if not _parse(text, root / "params.yaml"):
        raise ParamError(f"{root / 'params.yaml'} is empty; `git checkout` brings it back")
    return text


def _read_record(root: Path) -> list[Applied]:
    """Return all profiles that were applied and not taken back, in order."""
    if not (root / RECORD).is_file():
        return []
    try:
        return [Applied(**entry) for entry in json.loads(_read(root / RECORD))]
    except (ValueError, TypeError) as error:
        fix = "remove it: then no profile can be taken back"
        raise ParamError(f"{root / RECORD} is damaged: {error}\n  fix: {fix}") from error


def _write(root: Path, text: str, applied: list[Applied]) -> None:
    (root / "params.yaml").write_text(text, encoding="utf-8")
    (root / RECORD).parent.mkdir(exist_ok=True)
    (root / RECORD).write_text(json.dumps([asdict(entry) for entry in applied], indent=1) + "\n")


def _parse(text: str, file: Path) -> dict[str, Any]:
    """Return the values of a YAML text; ParamError naming file and line if it is not valid."""
    try:
        values = _YAML.load(text)
    except (YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}, line {mark.line + 1}" if mark else str(file)
        problem = getattr(error, "problem", None) or error
        raise ParamError(f"{where}: not valid YAML: {problem}") from error
    if not isinstance(values, dict | None):
        raise ParamError(f"{file}: not valid YAML: keys with values are expected")
    return values or {}


def _take_apart(text: str, record: Sequence[Applied]) -> tuple[str, list[_Layer]]:
    """Take back all profiles, the last one first.

    Returns:
        The text without them, and a layer for each, in order. A profile counts if something of it
        was there to take back, or if it changed nothing and its values are all there.
    """
    layers = []
    for entry in reversed(record):
        below, values = _revert(text, entry), entry.values()
        in_force = _in_force(_YAML.load(text), values)
        is_whole = bool(values) and in_force == values and not _changes(entry)
        layers.append(_Layer(entry, in_force, below != text or is_whole))
        text = below
    return text, layers[::-1]


def _take_out(
    text: str, record: Sequence[Applied], indices: Collection[int]
) -> tuple[str, list[Applied], list[str]]:
    """Take back some profiles. Those applied after them are taken back first, and set again.

    Returns:
        The text, the record of the others, and which of those taken out counted.
    """
    first = min(indices, default=len(record))
    text, layers = _take_apart(text, record[first:])
    others, taken = list(record[:first]), []
    for index, layer in enumerate(layers, first):
        entry = layer.entry
        if index in indices:
            taken += [entry.name] if layer.counts else []
            continue
        if layer.counts:
            values = _YAML.load(text)
            _overlay(values, layer.in_force, entry.name)
            entry = replace(entry, before=text, after=_dump(values))
            text = entry.after
        others.append(entry)
    return text, others, taken


def _revert(text: str, entry: Applied) -> str:
    """Set the values of a profile that are still there back to those before it."""
    if text == entry.after:
        return entry.before
    values = _YAML.load(text)
    is_changed = False
    for path, old, new in _changes(entry):
        section = values
        for name in path[:-1]:
            section = section.get(name) if isinstance(section, dict) else None
        # What is gone, such as a section that has another name now, stays as it is.
        if isinstance(section, dict) and section.get(path[-1], _MISSING) == new:
            section[path[-1]] = old
            is_changed = True
    return _dump(values) if is_changed else text


def _in_force(values: Mapping[str, Any], profile: Mapping[str, Any], prefix: str = "") -> Any:
    """Return the part of a profile whose values are there."""
    found: dict[str, Any] = {}
    for key, value in profile.items():
        current, name = values.get(key, _MISSING), f"{prefix}{key}"
        if isinstance(value, dict) and isinstance(current, dict) and name not in _WHOLE:
            if inner := _in_force(current, value, f"{name}."):
                found[key] = inner
        elif current == value:
            found[key] = value
    return found


def _overlay(values: Any, new: Any, file: str, prefix: str = "") -> None:
    for key, value in new.items():
        name = f"{prefix}{key}"
        if key not in values:
            raise ParamError(f"{file}: {name} is not a parameter; there are {', '.join(values)}")
        if isinstance(value, dict) and isinstance(values[key], dict) and name not in _WHOLE:
            _overlay(values[key], value, file, f"{name}.")
        else:
            values[key] = value


def _changes(entry: Applied) -> list[tuple[tuple[str, ...], Any, Any]]:
    """Return the path of each value that a profile changed, with the value before and after."""
    return list(_differences(_YAML.load(entry.before), _YAML.load(entry.after)))


def _differences(
    old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    # A profile adds no keys and removes none: a key that one of both lacks is no change.
    for key in old:
        if key not in new:
            continue
        before, after, where = old[key], new[key], (*path, key)
        is_whole = ".".join(map(str, where)) in _WHOLE
        if isinstance(before, dict) and isinstance(after, dict) and not is_whole:
            yield from _differences(before, after, where)
        elif before != after:
            yield where, before, after


def _dump(values: Any) -> str:
    out = io.StringIO()
    _YAML.dump(values, out)
    return out.getvalue()
