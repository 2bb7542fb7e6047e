"""Which code of a finished stage has changed since it ran, and how to keep its results.

`dvc.lock` has the hash of the fingerprint that a stage ran with. The fingerprint itself is found
by that hash in `.mathse/code`, where the stage `code` keeps it, or else in the last commit.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import yaml

from mathse.core.code import CodeBase, explain_change
from mathse.core.errors import ParamError
from mathse.core.layout import Layout


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
    """Yield a line for each stage whose code has changed since it ran, and one for each change."""
    code = CodeBase(layout.folder)
    lines = [
        f"{name}: {line}"
        for name, stage in _locked_stages(layout, names).items()
        for line in _changes(layout, code, stage)
    ]
    yield from lines or ["No code of these stages has changed since they ran."]


def accept_code(layout: Layout, names: Sequence[str]) -> Iterator[str]:
    """Make DVC take the results of stages for those of the code of today; yield what was accepted.

    Raises:
        ParamError: if a stage is unknown, or has changed in more than its code.
    """
    stages = _locked_stages(layout, names)
    _dvc(layout, "repro", "--quiet", "code")
    status = json.loads(_dvc(layout, "status", "--json", *stages))
    code = CodeBase(layout.folder)
    lines = []
    # What DVC finds changed: nothing but the code of each stage.
    for name, stage in stages.items():
        its_code = f"code/{_module(stage).removeprefix('stages.')}.json"
        entries = [
            entry if isinstance(entry, dict) else {"": [entry]} for entry in status.get(name, [])
        ]
        changed = {path for entry in entries for paths in entry.values() for path in paths}
        if other := sorted(changed - {its_code}):
            raise ParamError(
                f"{name} is not accepted: not its code alone has changed, but {', '.join(other)}.\n"
                f"  fix: dvc repro {name}"
            )
        if changed:
            lines += [f"{name}: {line}" for line in _changes(layout, code, stage)]
    if not lines:
        yield "Nothing to accept: no code of these stages has changed since they ran."
        return
    # Accept it, and keep a record.
    _dvc(layout, "commit", "--force", "--quiet", *stages)
    layout.accepted.parent.mkdir(exist_ok=True)
    with layout.accepted.open("a", encoding="utf-8") as file:
        day = datetime.now(UTC).strftime("%Y-%m-%d")
        file.writelines(f"- {day} {line}\n" for line in lines)
    yield from (f"accepted {line}" for line in lines)


def _locked_stages(layout: Layout, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the finished stages with these names; `merge` stands for that of every round."""
    stages: dict[str, dict[str, Any]] = {}
    if layout.dvc_lock.is_file():
        stages = yaml.safe_load(layout.dvc_lock.read_text(encoding="utf-8"))["stages"]
    stages.pop("code", None)
    called = {name: {name, name.partition("@")[0]} for name in stages}
    if unknown := set(names).difference(*called.values()):
        raise ParamError(
            f"{', '.join(sorted(unknown))}: no such stage has run; there are {', '.join(stages)}"
        )
    return {name: stages[name] for name in stages if not names or called[name] & set(names)}


def _module(stage: dict[str, Any]) -> str:
    """Return the module that a stage runs: stages.merge of `python -m stages.merge r1`."""
    return str(stage["cmd"]).split()[2]


def _changes(layout: Layout, code: CodeBase, stage: dict[str, Any]) -> Iterator[str]:
    """Yield what has changed since a stage ran, module by module."""
    module = _module(stage)
    path = f"code/{module.removeprefix('stages.')}.json"
    digest = next((dep["md5"] for dep in stage["deps"] if dep["path"] == path), "")
    before = _version(layout, path, digest)
    if before is None:
        yield "what it ran with is neither in .mathse/code nor in the last commit"
    else:
        yield from explain_change(before, code.fingerprint(module))


def _version(layout: Layout, path: str, digest: str) -> dict[str, str] | None:
    """Return the fingerprint with this hash."""
    kept = layout.code_versions / f"{digest}.json"
    if kept.is_file():
        text = kept.read_bytes()
    else:
        command = ["git", "show", f"HEAD:./{path}"]
        text = subprocess.run(command, cwd=layout.folder, capture_output=True, check=False).stdout
    if hashlib.md5(text).hexdigest() != digest:
        return None
    found: dict[str, str] = json.loads(text)
    return found


def _dvc(layout: Layout, *words: str) -> str:
    command, folder = [sys.executable, "-m", "dvc", *words], layout.folder.resolve()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ParamError(f"dvc {words[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout
