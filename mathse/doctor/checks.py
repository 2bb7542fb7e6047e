"""The checks of `mathse doctor`."""

from __future__ import annotations

import configparser
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from http.client import HTTPException
from importlib import metadata
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from packaging.requirements import Requirement

from mathse.core.errors import DataError, MathseError
from mathse.core.layout import Layout
from mathse.core.machine import Machine, Server
from mathse.core.params import Finetune, Params, Role, RoleName
from mathse.core.registry import ENGINES, LOCAL_ENGINES, SERVED_ENGINES
from mathse.doctor.finding import Check
from mathse.doctor.inputs import check_embedded, check_overrides, check_prompts, check_tables
from mathse.planning.plan import IN_WORK_FOLDER, Plan
from mathse.planning.plan_tables import GB

SHOWN = ("torch", "transformers", "accelerate", "dvc", "polars", "torchvision", "peft", "vllm")
_LARGE_BYTES = 2 * GB


def run_checks(params: Params, machine: Machine, layout: Layout) -> Iterator[Check]:
    """Yield all findings."""
    yield from check_machine(machine)
    yield from check_trainings(params, machine)
    yield from check_libraries(params)
    yield from check_servers(params, machine)
    yield from check_hub(params)
    yield from check_revisions(params)
    yield from check_overrides(layout)
    yield from check_tables(params, layout)
    yield from check_embedded(params, layout)
    yield from check_prompts(params, layout)
    yield from check_work_folder(machine, layout)
    yield from check_pictures(params)
    try:
        plan = Plan(params, machine, layout, {})
    except DataError as error:
        yield Check("plan", "fails", " ".join(str(error).split()))
        return
    yield from check_rounds(plan)
    yield from check_disk(plan)
    yield from check_cache(plan)


def check_rounds(plan: Plan) -> Iterator[Check]:
    """Yield if the teacher takes all training problems, and the rounds with nothing to solve."""
    params = plan.params
    asked = {one.stage: one.count for one in plan.work if one.stage.startswith("generate ")}
    idle = [
        name
        for name in params.rounds
        if params.is_enabled(name, "generate") and not asked[f"generate {name}"]
    ]
    wanted, train = params.distill.problems, plan.counts.train
    nothing = f"nothing to solve in {', '.join(idle)}"
    if wanted >= train:
        takes = f"distill.problems: {wanted} takes all {train} training problems"
        assume = plan.planner.assume
        if "table_problems" in assume.used:
            takes += f" (a table that is not imported counts as {assume['table_problems']:g})"
        left = nothing if idle else "the rounds solve only what the teacher fails"
        yield Check("rounds", "note", f"{left}: {takes}. Fix: a smaller distill.problems")
    elif idle:
        what = (
            f"{nothing}: the rounds before try all problems. Fix: a smaller generate.max_problems"
        )
        yield Check("rounds", "note", what)


def check_machine(machine: Machine) -> Iterator[Check]:
    """Yield the machine, its GPUs, and whether torch can use them."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    found = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GB"
    yield Check("machine", "ok", f"{found}, Python {platform.python_version()}")
    query = "--query-gpu=name,memory.total,driver_version"
    try:
        listed = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        listed = []
    if not listed:
        yield Check("GPU", "note", "none found: models run on the CPU")
        return
    yield Check("GPU", "ok", "; ".join(listed))
    if machine.device == "cpu":
        yield Check("device", "note", "machine.yaml: device is cpu, no GPU is used")
    elif "+cpu" in (_installed("torch") or ""):
        yield Check("torch", "fails", "is a build for CPUs: install one for CUDA to use the GPUs")
    launcher = machine.launcher
    if machine.device != "cpu" and len(listed) > launcher.processes * launcher.nodes == 1:
        what = f"1 of {len(listed)} GPUs trains. Fix: launcher: {{processes: {len(listed)}}}"
        yield Check("launcher", "note", f"{what} in machine.yaml")


def check_trainings(params: Params, machine: Machine) -> Iterator[Check]:
    """Yield what a training would refuse only when it starts, after the teacher was paid.

    The rules are those of `training.launch`, `training.train_loop` and `training.external`.
    `load_params` checks the processes on a CPU.
    """
    # Each process needs a GPU. A prefix may start them on another machine.
    launcher, gpus = machine.launcher, len(machine.gpus)
    trainers = launcher.processes * launcher.nodes
    if trainers > 1 and 0 < gpus < launcher.processes and not launcher.prefix:
        what = f"launcher.processes in machine.yaml is {launcher.processes}, and there are {gpus} "
        yield Check("launcher", "fails", f"{what}GPUs. Fix: launcher: {{processes: {gpus}}}")

    # All processes share each batch: in equal parts of whole micro-batches.
    for name, section in (("finetune", params.finetune), ("train_orm", params.train_orm)):
        if isinstance(section, Finetune) and section.trainer != "accelerate":
            processes, micro = launcher.processes, section.micro_batch_size or 1
        else:
            processes = trainers if gpus else section.processes
            micro = section.micro_batch_size or max(1, section.batch_size // processes)
        if section.batch_size % (micro * processes):
            what = f"{section.batch_size} is not a multiple of micro_batch_size {micro} times "
            what += f"the {processes} processes of launcher in machine.yaml"
            what += ". Fix: change one of the three"
            yield Check(f"{name}.batch_size", "fails", what)


def check_libraries(params: Params) -> Iterator[Check]:
    """Yield the versions, what is missing, and what the constraints want otherwise."""
    versions = [f"{name} {found}" for name in SHOWN if (found := _installed(name))]
    yield Check("libraries", "ok", ", ".join(versions))
    needed = {"": "mathse"} | {
        engine: f"engine {engine}"
        for role in params.roles.values()
        if (engine := role.engine) in ENGINES
    }
    for name, section in (("finetune", params.finetune), ("train_orm", params.train_orm)):
        if section.method == "lora":
            needed["lora"] = f"{name}.method lora"
    if "vllm" not in needed and _installed("torchvision") is None:
        from mathse.engines.model_files import needs_torchvision

        for name, role in local_roles(params).items():
            if needs_torchvision(role):
                needed["vlm"] = f"{name}.model {role.model}"
    for extra, why in needed.items():
        for requirement in _requirements(extra):
            found = _installed(requirement.name)
            if found is None or not requirement.specifier.contains(found, prereleases=True):
                what = f"{requirement} is needed by {why}; installed: {found or 'none'}"
                pins = "constraints-vllm.txt" if extra == "vllm" else "constraints.txt"
                fix = f"pip install -c {pins} -e " + (f"'.[{extra}]'" if extra else ".")
                yield Check(requirement.name, "fails", f"{what}. Fix: {fix}")
    yield from _check_constraints(Path(__file__).parents[2] / "constraints.txt")


def local_roles(params: Params) -> dict[RoleName, Role]:
    """Return the roles whose model is loaded here: to write, or to be trained."""
    return {
        name: role
        for name, role in params.roles.items()
        if name in params.models and (role.engine in LOCAL_ENGINES or name in ("student", "orm"))
    }


def _requirements(extra: str) -> list[Requirement]:
    """Return what MathSE itself needs, or one of its extras."""
    listed = [Requirement(text) for text in metadata.requires("mathse") or []]
    if not extra:
        return [one for one in listed if one.marker is None or one.marker.evaluate({"extra": ""})]
    found = [one for one in listed if one.marker and f'extra == "{extra}"' in str(one.marker)]
    # An installation may not know its extras.
    named = {"lora": "peft", "openai": "openai", "vllm": "vllm", "vlm": "torchvision"}
    return found or ([Requirement(named[extra])] if extra in named else [])


def _check_constraints(file: Path) -> Iterator[Check]:
    if not file.is_file():
        return
    pinned = dict(line.split("==") for line in file.read_text().split() if "==" in line)
    other = [
        f"{name} {found} instead of {wanted}"
        for name, wanted in pinned.items()
        if (found := _installed(name)) and found.split("+")[0] != wanted
    ]
    if other:
        yield Check("constraints", "note", f"{file.name} has others: {', '.join(other)}")
    else:
        yield Check("constraints", "ok", f"as in {file.name}")


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_servers(params: Params, machine: Machine) -> Iterator[Check]:
    """Yield for each role behind a server whether its key is set and the server knows the model.

    A key is never shown.
    """
    asked: dict[tuple[str, str], str] = {}
    for name, role in params.roles.items():
        if role.engine in SERVED_ENGINES:
            try:
                server = machine.server(name)
            except MathseError as error:
                yield Check(f"server of {name}", "fails", str(error))
                continue
            if asked.setdefault((server.url, str(role.model)), name) == name:
                yield check_server(f"server of {name}", server, str(role.model))
    for key in sorted({server.key_env for server in machine.servers.values()}):
        is_set = bool(os.environ.get(key))
        text = f"{key} is {'set' if is_set else 'not set'} in the environment"
        yield Check("key", "ok" if is_set else "note", text)
    if not os.environ.get("HF_TOKEN"):
        yield Check(
            "HF_TOKEN", "note", "is not set: models of the Hub that need consent do not load"
        )


def check_hub(params: Params) -> Iterator[Check]:
    """Yield if the Hub does not answer where a role's model may be there; it is asked no more."""
    names = {str(role.model) for role in local_roles(params).values()}
    if all(Path(name).is_dir() for name in names):
        return
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return
    try:
        with urlopen(constants.ENDPOINT, timeout=10):
            return
    except HTTPError:
        return  # it answers
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
    # Each file would be asked for several times, with minutes of waiting.
    constants.HF_HUB_OFFLINE = True
    what = f"{constants.ENDPOINT} does not answer ({reason}): only models that were downloaded load"
    yield Check("Hub", "note", what)


def check_revisions(params: Params) -> Iterator[Check]:
    """Yield the roles whose model on the Hub may change during a run."""
    for name, role in local_roles(params).items():
        model = Path(str(role.model))
        if role.revision is None and not model.is_dir() and not model.parent.is_dir():
            what = f"null, and {role.model} is on the Hub: with a new commit there, half-done "
            what += "trainings and finished requests are made again"
            yield Check(f"{name}.revision", "note", f"{what}. Fix: name the commit")


def check_server(subject: str, server: Server, model: str) -> Check:
    """Ask a server for its models."""
    key = os.environ.get(server.key_env, "").strip()  # as the engine does
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    request = Request(f"{server.url.rstrip('/')}/models", headers=headers)
    try:
        with urlopen(request, timeout=10) as reply:
            body = reply.read()
    except HTTPError as error:
        if error.code in (401, 403):
            state = "is refused" if key else "is not set"
            return Check(subject, "fails", f"{server.url}: the key in {server.key_env} {state}")
        return Check(subject, "note", f"{server.url} lists no models (HTTP {error.code})")
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        return Check(subject, "fails", f"{server.url} does not answer: {reason}")
    except HTTPException as error:
        return Check(subject, "fails", f"{server.url} does not answer in HTTP: {error!r:.99}")
    except ValueError:  # its text has the key
        what = f"the key in {server.key_env} has characters that cannot be sent"
        return Check(subject, "fails", f"{server.url}: {what}")
    try:
        names = [str(entry["id"]) for entry in json.loads(body)["data"]]
    except (ValueError, KeyError, TypeError):
        return Check(subject, "note", f"{server.url} answers, but lists no models")
    if model not in names:
        some = ", ".join(names[:5])
        return Check(subject, "fails", f"{server.url} has no model {model}; it has {some}")
    return Check(subject, "ok", f"{server.url} has {model}")


def check_work_folder(machine: Machine, layout: Layout) -> Iterator[Check]:
    """Yield the folder of this project in an absolute work folder, and who has to see it."""
    if not Path(machine.work_folder).is_absolute():
        return
    named = Path(machine.work_folder)
    if not named.exists():
        above = next(parent for parent in named.parents if parent.exists())
        what = f"{named} does not exist; it will be made in {above}. Is its disk mounted?"
        yield Check("work folder", "note" if os.access(above, os.W_OK) else "fails", what)
        return
    try:
        text = f"this project's is {layout.work}"
    except MathseError as error:
        yield Check("work folder", "fails", " ".join(str(error).split()))
        return
    if machine.launcher.nodes > 1:
        text += f": all {machine.launcher.nodes} nodes must see it, so no disk of one node will do"
    yield Check("work folder", "note" if machine.launcher.nodes > 1 else "ok", text)


def check_disk(plan: Plan) -> Iterator[Check]:
    """Yield if each disk has space for what `mathse plan` estimates and is not there already.

    Checkpoints and journal are in the work folder, which may be on another disk.
    """
    root = plan.layout.folder.absolute()
    folders = [plan.layout.data, root / ".dvc/cache"]
    planned = plan.disk()
    of_work = sum(planned.pop(part, 0.0) for part in IN_WORK_FOLDER)
    of_project = sum(planned.values())
    try:
        named = Path(plan.machine.work_folder)
        is_there = named.exists() or not named.is_absolute()
        work = plan.layout.work.absolute() if is_there else named
    except MathseError:  # `check_work_folder` says why
        yield _check_space("disk", root, of_project + of_work, folders)
        return
    if _device(work) == _device(root):
        yield _check_space("disk", root, of_project + of_work, [*folders, work])
    else:
        yield _check_space("disk", root, of_project, folders)
        yield _check_space("disk of work folder", work, of_work, [work])


def _device(path: Path) -> int:
    """Return the device of a folder, or of the one in which it will be made."""
    return _existing(path).stat().st_dev


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _check_space(subject: str, root: Path, planned: float, folders: Sequence[Path]) -> Check:
    """Compare what is planned for a disk, and not yet in its folders, with what is free there."""
    stored = sum(
        file.stat().st_size
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
    )
    free = shutil.disk_usage(_existing(root)).free
    needed = max(0.0, planned - stored)
    text = f"{free / GB:,.1f} GB free; `mathse plan` estimates {needed / GB:,.1f} GB more"
    return Check(subject, "ok" if needed < free else "fails", text)


def check_cache(plan: Plan) -> Iterator[Check]:
    """Yield how DVC links files from its cache."""
    config = configparser.ConfigParser()
    config.read([plan.layout.folder / ".dvc" / name for name in ("config", "config.local")])
    links = config.get("cache", "type", fallback="reflink,copy").strip("'\"")
    sizes = [shape.parameters * 2 for shape in plan.planner.shapes.values()]
    text = f"cache.type is {links}"
    if max(sizes, default=0) > _LARGE_BYTES and "link" not in links.replace("reflink", ""):
        text += ": where the disk has no reflinks, models are stored twice (docs/recipes.md)"
        yield Check("DVC cache", "note", text)
    else:
        yield Check("DVC cache", "ok", text)


def check_pictures(params: Params) -> Iterator[Check]:
    """Yield if pictures in messages become the tokens that the processor makes."""
    from mathse.engines.placeholders import check_placeholders

    seen = set()
    for name, role in params.roles.items():
        key = (role.model, role.pixels.min, role.pixels.max, role.max_prompt_tokens)
        if role.engine not in LOCAL_ENGINES or role.model is None or key in seen:
            continue
        seen.add(key)
        subject = f"pictures of {name}"
        try:
            faults, found = check_placeholders(role)
        except MathseError as error:
            yield Check(subject, "fails", " ".join(str(error).split()))
            continue
        for fault in faults:
            yield Check(subject, "fails", fault)
        if not faults:
            yield Check(subject, "ok", found)
