"""What a piece of work takes on the devices at hand: operations, time, memory."""

from __future__ import annotations

from collections.abc import Mapping

from mathse.core.params import Role, RoleName
from mathse.core.registry import LOCAL_ENGINES
from mathse.planning import formulas
from mathse.planning.assumptions import Assumptions
from mathse.planning.plan_tables import GB
from mathse.planning.shapes import Shape
from mathse.planning.work import Tuning, Work


class Planner:
    """Estimates what work takes.

    Args:
        shapes: of the models, by role.
        roles: with their engines and batch sizes.
        assume: everything else, the devices among it.

    Attributes:
        count: devices that compute: GPUs, or cores.
        memory: bytes of each.
        rate: operations per second of each.
        bandwidth: bytes per second of each.
    """

    def __init__(
        self, shapes: Mapping[RoleName, Shape], roles: Mapping[RoleName, Role], assume: Assumptions
    ) -> None:
        self.shapes, self.roles = shapes, roles
        self.assume = assume
        self.count = max(1.0, assume["gpus"])
        self.memory = assume["gpu_memory_gb"] * GB
        self.rate = assume["gpu_tflops"] * 1e12
        self.bandwidth = assume["gpu_bandwidth_gb_s"] * GB

    @property
    def trainers(self) -> float:
        """Return how many of the devices train."""
        return min(self.count, max(1.0, self.assume["training_gpus"] or self.count))

    def trainers_of(self, tuning: Tuning) -> float:
        """Return how many devices share a training: on cores its processes, if nothing is given."""
        if self.is_on_cores and not self.assume["training_gpus"]:
            return min(self.count, tuning.processes)
        return self.trainers

    @property
    def is_on_cores(self) -> bool:
        """Return True if the devices are cores."""
        return "core" in self.assume.values["gpus"].origin

    @property
    def devices(self) -> str:
        """Count and kind: "8 GPUs"; "8 GPUs (training: on 1)" where others stay idle."""
        kind = "core" if self.is_on_cores else "GPU"
        text = f"{self.count:g} {kind}{'s' * (self.count > 1)}"
        return text if self.trainers == self.count else f"{text} (training: on {self.trainers:g})"

    def flops(self, work: Work) -> float:
        """Return the operations of a piece of work; 0 where a server or nobody computes."""
        if (shape := self.shapes.get(work.role)) is None:
            return 0.0
        tokens = work.text_tokens, work.picture_tokens, work.written_tokens
        if (tuning := work.tuning) is None:
            return work.count * formulas.forward_flops(shape, *tokens)
        return work.count * formulas.training_flops(
            shape,
            *tokens,
            lora=bool(tuning.lora_rank),
            vision_frozen=tuning.is_vision_frozen,
            recomputes=tuning.recomputes,
        )

    def seconds(self, work: Work) -> float:
        """Return the time that a piece of work takes on all devices, or on those that train."""
        if (shape := self.shapes.get(work.role)) is None:
            return 0.0
        computing = self.rate, self.assume["mfu"]
        if work.tuning is not None:
            shared = self.trainers_of(work.tuning)
            return formulas.computing_seconds(self.flops(work), shared, *computing)
        prompt = formulas.forward_flops(shape, work.text_tokens, work.picture_tokens, 0)
        reading = formulas.computing_seconds(work.count * prompt, self.count, *computing)
        written = work.count * work.written_tokens
        return reading + written / (self.count * self.tokens_per_s(work.role, work.tokens))

    def tokens_per_s(self, role: RoleName, context: float) -> float:
        """Return the tokens per second that one device writes, given or by the formula."""
        if given := self.assume["tokens_per_s"]:
            return given
        is_slow = self.roles[role].engine == "transformers"
        share = self.assume["decode_share_transformers" if is_slow else "decode_share"]
        sequences, mfu = self.sequences(role, context), self.assume["mfu"]
        return formulas.decode_tokens_per_s(
            self.shapes[role], sequences, context, self.rate, mfu, self.bandwidth * share
        )

    def sequences(self, role: RoleName, context: float) -> float:
        """Return how many sequences are written at a time: a batch, if the memory allows."""
        shape, setting, most = self.shapes[role], self.roles[role], self.assume["sequences"]
        if setting.engine in LOCAL_ENGINES:  # a server has batches of its own
            most = min(most, setting.batch_size)
        free = 0.9 * self.memory - 2 * shape.parameters
        fitting = free // (context * formulas.kv_bytes_per_token(shape))
        return max(1.0, min(most, fitting))

    def training_memory(self, shape: Shape, tuning: Tuning, written: float) -> dict[str, float]:
        """Return the bytes on each device that trains.

        Args:
            shape: of the model.
            tuning: how it is trained.
            written: tokens of a row that are learnt.
        """
        trained = shape.parameters - (shape.vision if tuning.is_vision_frozen else 0)
        frozen = shape.parameters - trained
        if tuning.lora_rank:
            trained, frozen = formulas.lora_parameters(shape, tuning.lora_rank), shape.parameters
        state = formulas.state_bytes(trained, frozen, tuning.frozen_bytes)
        shards = self.trainers if tuning.is_sharded else 1
        parts = {name: value / shards for name, value in state.items()}
        parts["activations"] = formulas.activation_bytes(
            shape, tuning.micro_tokens, tuning.micro_rows * written, tuning.recomputes
        )
        return parts

    def writing_memory(self, role: RoleName, context: float) -> dict[str, float]:
        """Return the bytes on each device while a role writes."""
        shape = self.shapes[role]
        cache = self.sequences(role, context) * context * formulas.kv_bytes_per_token(shape)
        return {"weights": 2 * shape.parameters, "KV cache": cache}
