"""Which code or model of a finished stage has changed since it ran, and how to keep its results.

`dvc.lock` has the hash of the fingerprint that a stage ran with. The fingerprint itself is found
by that hash in `.mathse/code`, where the stage `code` keeps it, or else in the last commit.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import yaml

from mathse.core.code import CodeBase, explain_change
from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.engines.local_models import fingerprint_models

_ROLES = "code/roles/"


def keep_versions(layout: Layout, fingerprints: Sequence[str]) -> None:
    """Keep these fingerprints by their hash, and of older ones those that a lock names."""
    texts = {hashlib.md5(text.encode()).hexdigest(): text for text in fingerprints}
    locked = layout.dvc_lock.read_text() if layout.dvc_lock.is_file() else ""
    layout.code_versions.mkdir(parents=True, exist_ok=True)
    for file in layout.code_versions.iterdir():
        if file.stem not in texts and file.stem not in locked:
            file.unlink()
    for digest, text in texts.items():
        (layout.code_versions / f"{digest}.json").write_text(text, encoding="utf-8")


def list_code(layout: Layout, names: Sequence[str]) -> Iterator[str]:
    """Yield a line for each module that stages depend on."""
    code = CodeBase(layout.folder)
    for name, stage in _locked_stages(layout, names).items():
        yield f"{name}:"
        for module, importer in sorted(code.closure(_module(stage)).items()):
            yield f"  {module}" + (f"  (imported by {importer})" if importer else "")


def changed_code(layout: Layout, names: Sequence[str]) -> Iterator[str]:
    """Yield a line for each module and local model of a stage that has changed since it ran."""
    stages = _locked_stages(layout, names)
    if not stages:
        state = "names none" if layout.dvc_lock.is_file() else "is missing"
        yield f"No stage has run: {layout.dvc_lock} {state}."
        return
    current = _Current(layout)
    lines = [
        f"{name}: {line}"
        for name, stage in stages.items()
        for line in _changes(layout, current, stage, _locked(stage))
    ]
    yield from lines or ["No code and no local model of these stages has changed since they ran."]


def accept_code(layout: Layout, names: Sequence[str]) -> Iterator[str]:
    """Make DVC take the results of stages for those of today's code and models; yield what changed.

    Raises:
        ParamError: if a stage is unknown, or has changed in more than its code and local models.
    """
    stages = _locked_stages(layout, names)
    _dvc(layout, "repro", "--quiet", "code")
    status = json.loads(_dvc(layout, "status", "--json", *stages))
    current = _Current(layout)
    stages_of: dict[str, list[str]] = {}
    # What DVC finds changed: nothing but the code and the local models of each stage.
    for name, stage in stages.items():
        entries = [
            entry if isinstance(entry, dict) else {"": [entry]} for entry in status.get(name, [])
        ]
        changed = {path for entry in entries for paths in entry.values() for path in paths}
        if other := sorted(path for path in changed if not _is_fingerprint(stage, path)):
            raise ParamError(
                f"{name} is not accepted: not its code alone has changed, but {', '.join(other)}.\n"
                f"  fix: dvc repro {name}"
            )
        for change in _changes(layout, current, stage, changed):
            stages_of.setdefault(change, []).append(name)
    if not stages_of:
        yield "Nothing to accept: no code and no local model of these stages has changed."
        return
    # Accept it, and keep a record.
    _dvc(layout, "commit", "--force", "--quiet", *stages)
    layout.accepted.parent.mkdir(exist_ok=True)
    lines = [f"{change}: {', '.join(names)}" for change, names in stages_of.items()]
    with layout.accepted.open("a", encoding="utf-8") as file:
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        file.writelines(f"- {day} {line}\n" for line in lines)
    yield from (f"accepted {line}" for line in lines)


def _locked_stages(layout: Layout, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the finished stages with these names; `merge` stands for that of every round."""
    stages: dict[str, dict[str, Any]] = {}
    if layout.dvc_lock.is_file():
        locked = yaml.safe_load(layout.dvc_lock.read_text(encoding="utf-8")) or {}
        stages = locked.get("stages") or {}
    stages.pop("code", None)
    called = {name: {name, name.partition("@")[0]} for name in stages}
    if unknown := set(names).difference(*called.values()):
        known = ", ".join(stages) or "none"
        raise ParamError(f"{', '.join(sorted(unknown))}: no such stage has run; there are {known}")
    return {name: stages[name] for name in stages if not names or called[name] & set(names)}


def _module(stage: dict[str, Any]) -> str:
    """Return the module that a stage runs: stages.merge of `python -m stages.merge r1`."""
    return str(stage["cmd"]).split()[2]


def _is_fingerprint(stage: dict[str, Any], path: str) -> bool:
    """Return True if a path is the fingerprint of a stage's code or of a model that it uses."""
    return path.startswith(_ROLES) or path == f"code/{_module(stage).removeprefix('stages.')}.json"


def _locked(stage: dict[str, Any]) -> dict[str, str]:
    """Return the fingerprints that a stage ran with, by path, as hashes of the files."""
    return {dep["path"]: dep["md5"] for dep in stage["deps"] if _is_fingerprint(stage, dep["path"])}


class _Current:
    """The fingerprints of today, which the stage `code` would write."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.code = CodeBase(layout.folder)

    @cached_property
    def models(self) -> Mapping[str, Mapping[str, str | None]]:
        """Return those of the roles. Weights that have changed are read, which may take a while."""
        models = fingerprint_models(self.layout, load_params(self.layout.params))
        return {f"{_ROLES}{role}.json": fingerprint for role, fingerprint in models.items()}


def _changes(
    layout: Layout, current: _Current, stage: dict[str, Any], paths: Iterable[str]
) -> Iterator[str]:
    """Yield what has changed since a stage ran: modules and models of these fingerprints."""
    locked = _locked(stage)
    for path in sorted(paths):
        role = path.removeprefix(_ROLES).removesuffix(".json") if path.startswith(_ROLES) else None
        before = _version(layout, path, locked[path]) if path in locked else {}
        if before is None:
            yield f"{path} that it ran with is neither in .mathse/code nor in the last commit"
        elif role is None:
            yield from explain_change(before, current.code.fingerprint(_module(stage)))
        elif not before:
            yield f"the model of {role} is a new dependency"
        elif before != current.models[path]:
            yield f"the model folder of {role} has changed"


def _version(layout: Layout, path: str, digest: str) -> dict[str, Any] | None:
    """Return the fingerprint with this hash."""
    kept = layout.code_versions / f"{digest}.json"
    if kept.is_file():
        text = kept.read_bytes()
    else:
        command = ["git", "show", f"HEAD:./{path}"]
        text = subprocess.run(command, cwd=layout.folder, capture_output=True, check=False).stdout
    if hashlib.md5(text).hexdigest() != digest:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def _dvc(layout: Layout, *words: str) -> str:
    command, folder = [sys.executable, "-m", "dvc", *words], layout.folder.resolve()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ParamError(f"dvc {words[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
