"""How things run on this machine: `machine.yaml`, optional and git-ignored; DVC never sees it.

Nothing here changes a byte of a result on the CPU. These keys do, and so stand in `params.yaml`:

- `batch_size` of student and orm: sums in bfloat16 differ with the padding of a batch, and a few
  texts in a hundred with them;
- `processes` and `micro_batch_size` of a training: they set the order in which gradients are added.

A server's `takes_grammar` may change texts too: it is part of the journal's key.

Examples are in `profiles/machines/`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from mathse.core.errors import ParamError
from mathse.core.params import Section, explain_faults, read_yaml
from mathse.core.processes import ONE_THREAD


class Replicas(Section):
    """How models that generate text share a machine, or a Ray cluster."""

    replicas: int | None = Field(default=None, ge=1)  # null: as many as the GPUs allow
    tensor_parallel: int = Field(default=1, ge=1)  # GPUs of each replica; engine vllm
    gpu_memory: float = Field(default=0.9, gt=0, le=1)  # share of each GPU for a replica of vllm
    ray: str | None = None  # address of a Ray cluster, or auto; null: processes of this machine


ServerName = Literal["teacher", "annotator", "reflector", "student", "orm", "default"]


class Limits(Section):
    """The most that one role may spend in a stage of a round, resumed or not; null: no limit."""

    requests: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)  # of prompts and responses
    money: float | None = Field(default=None, gt=0)


class Price(Section):
    """Money for a million tokens, in any currency."""

    prompt: float = Field(ge=0)
    cached: float | None = Field(default=None, ge=0)  # of the prompt; null: as `prompt`
    completion: float = Field(ge=0)


class Server(Section):
    """An OpenAI-compatible server. Keys stand in environment variables, never in a file."""

    url: str = Field(pattern="^https?://")  # mostly ends in /v1
    key_env: str = "OPENAI_API_KEY"  # name of the variable; unset is fine for a server without keys
    concurrency: int = Field(default=16, ge=1)  # requests in flight
    timeout_s: float = Field(default=600, gt=0)  # without a byte of an answer
    tries: int = Field(default=8, ge=1)  # of a request that gets no answer: about half a minute
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # name in requests
    continues_prefix: bool = False  # takes `continue_final_message`, as vLLM does
    takes_grammar: bool = False  # takes `structured_outputs` with a Lark grammar, as vLLM does
    budget: Limits = Limits()
    price: Price | None = None

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> Server:
        if self.budget.money is not None and self.price is None:
            raise ValueError("budget.money needs price: prompt, cached and completion per million")
        return self


class Launcher(Section):
    """How a training starts on GPUs: one process on each, under `torchrun`."""

    processes: int = Field(default=1, ge=1)  # GPUs of a node
    nodes: int = Field(default=1, ge=1)
    rendezvous: str | None = None  # host:port of the first node; where there are several nodes
    prefix: tuple[str, ...] = ()  # starts a command on each node: [srun, --ntasks-per-node=1]
    peak_tflops: float | Literal["measured"] | None = None  # of a GPU, for MFU; null: no MFU

    @model_validator(mode="after")
    def _nodes_meet(self) -> Launcher:
        if self.nodes > 1 and not self.rendezvous:
            raise ValueError("several nodes need rendezvous: host:port of the first")
        return self


class Machine(Section):
    """All of `machine.yaml`; what is left out has these values."""

    device: Literal["auto", "cpu"] = "auto"  # auto: a GPU where there is one
    inference_processes: int | None = Field(default=None, ge=1)  # on the CPU; null: one per core
    save_every_steps: int = Field(default=100, ge=0)  # checkpoints of a training; 0: none
    launcher: Launcher = Launcher()
    work_folder: str = ".mathse"  # journal and checkpoints; an absolute path may be shared
    servers: dict[ServerName, Server] = Field(default_factory=dict)  # of roles with engine openai
    plan: dict[str, float] = Field(default_factory=dict)  # for `mathse plan`, such as gpus: 8
    engines: Replicas = Replicas()

    @property
    def gpus(self) -> list[str]:
        """Return the GPUs on which models run, as CUDA_VISIBLE_DEVICES names them."""
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        if self.device == "cpu":
            return []
        if visible is not None:
            return [gpu for gpu in visible.split(",") if gpu not in ("", "-1")]
        return [str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]

    @property
    def has_gpu(self) -> bool:
        """Return True if models run on a GPU."""
        return bool(self.gpus)

    @property
    def processes(self) -> int:
        """Return how many processes generate text on the CPU, with one thread each."""
        return self.inference_processes or min(8, os.cpu_count() or 1)

    def server(self, role: ServerName) -> Server:
        """Return the server of a role, or the default one.

        Raises:
            ParamError: if `machine.yaml` names neither.
        """
        for name in (role, "default"):
            if name in self.servers:
                return self.servers[name]
        raise ParamError(
            f"No server for engine openai: machine.yaml names neither servers.{role} nor "
            f"servers.default.\n  fix: write there, for example, servers: {{{role}: {{url: "
            "http://localhost:8000/v1}}"
        )

    def replica_environments(self, tensor_parallel: int = 1) -> list[dict[str, str]]:
        """Return the environment variables of each process that generates text.

        Args:
            tensor_parallel: GPUs of each process.

        Raises:
            ParamError: if there are not so many GPUs.
        """
        gpus, wanted = self.gpus, self.engines.replicas
        if not gpus:
            return [ONE_THREAD] * self.processes
        there = len(gpus) // tensor_parallel
        if there < (wanted or 1):
            raise ParamError(
                f"engines in machine.yaml: {wanted or 1} replicas on {tensor_parallel} GPUs each, "
                f"and there are {len(gpus)} GPUs; lower replicas or tensor_parallel"
            )
        parts = (gpus[start * tensor_parallel :][:tensor_parallel] for start in range(there))
        return [{"CUDA_VISIBLE_DEVICES": ",".join(part)} for part in parts][:wanted]


def load_machine(path: str | Path) -> Machine:
    """Read and check `machine.yaml`; without one everything has its default.

    Raises:
        ParamError: naming file, key and what is allowed, one line for each fault.
    """
    if not Path(path).exists():
        return Machine()
    values = read_yaml(path)
    try:
        return Machine.model_validate(values or {})
    except ValidationError as error:
        raise ParamError("\n".join(explain_faults(str(path), error))) from error
