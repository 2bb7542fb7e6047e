"""What a training run is told, and what it reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mathse.core.errors import ParamError


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        learning_rate: the highest one, reached after the warm-up.
        warmup_ratio: share of the steps that the warm-up takes.
        weight_decay: of matrices; norms and biases have none.
        batch_size: rows per optimizer step over all processes.
        steps: optimizer steps; None: as many as `epochs` take.
        epochs: passes over the rows where `steps` is None.
        max_tokens: rows with more tokens (prompt, images and target) are left out.
        seed: of the order of the rows and of any dropout.
        precision: of the computation; weights are trained in fp32 either way.
        max_grad_norm: gradients are scaled down to it.
        micro_batch_size: rows per forward pass and process; 0: the whole step at once.
        log_every_steps: how often a row of the loss curve is written.
        save_every_steps: how often a checkpoint is written; 0: never.
        frozen: parameters whose name contains one of these are not trained.
        emphasis_weight: how many times as much the emphasised tokens of an example count (see
            `Example.emphasis`).
        attention: attention code; auto: MathSE's own on CPU, where it is fastest, else the model's.
        save_dtype: of the weights that are written.
    """

    learning_rate: float = 1e-4
    warmup_ratio: float = 0.05
    weight_decay: float = 0.05
    batch_size: int = 32
    steps: int | None = None
    epochs: float = 1.0
    max_tokens: int = 2048
    seed: int = 0
    precision: Literal["bf16", "fp32"] = "bf16"
    max_grad_norm: float = 1.0
    micro_batch_size: int = 0
    log_every_steps: int = 10
    save_every_steps: int = 100
    frozen: tuple[str, ...] = ()
    emphasis_weight: float = 1.0
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    save_dtype: Literal["bfloat16", "float32"] = "bfloat16"

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            ParamError: naming the value.
        """
        object.__setattr__(self, "frozen", tuple(self.frozen))
        rules = {
            "learning_rate must be above 0": self.learning_rate > 0,
            "warmup_ratio must lie in [0, 1]": 0 <= self.warmup_ratio <= 1,
            "weight_decay must be 0 or more": self.weight_decay >= 0,
            "batch_size must be at least 1": self.batch_size >= 1,
            "steps must be at least 1, or null": self.steps is None or self.steps >= 1,
            "epochs must be above 0": self.epochs > 0,
            "max_tokens must be at least 1": self.max_tokens >= 1,
            "precision must be bf16 or fp32": self.precision in ("bf16", "fp32"),
            "max_grad_norm must be above 0": self.max_grad_norm > 0,
            "micro_batch_size must be 0 or more": self.micro_batch_size >= 0,
            "log_every_steps must be at least 1": self.log_every_steps >= 1,
            "emphasis_weight must be above 0": self.emphasis_weight > 0,
            "save_every_steps must be 0 or more": self.save_every_steps >= 0,
            "save_dtype must be bfloat16 or float32": self.save_dtype in ("bfloat16", "float32"),
        }
        for rule, held in rules.items():
            if not held:
                raise ParamError(f"{rule} (got {getattr(self, rule.split()[0])!r})")

    def identity(self) -> dict[str, Any]:
        """Return what the trained weights depend on: all but how often to log and to save."""
        values = asdict(self)
        del values["log_every_steps"], values["save_every_steps"]
        return values


@dataclass(frozen=True)
class TrainReport:
    """What a training run did.

    Attributes:
        steps: optimizer steps.
        samples: rows seen, repetitions counted.
        rows: rows trained on, each counted once.
        dropped: keys of the rows left out, by reason.
        first_loss: mean over the first tenth of the steps.
        final_loss: mean over the last tenth of the steps.
        target_tokens: tokens that the loss was taken over.
        resumed_from: the step that a checkpoint brought back, or 0.
    """

    steps: int
    samples: int
    rows: int
    dropped: dict[str, list[str]] = field(default_factory=dict)
    first_loss: float = 0.0
    final_loss: float = 0.0
    target_tokens: int = 0
    resumed_from: int = 0

    def metrics(self) -> dict[str, Any]:
        """Return the report as plain values; it does not tell whether the run was interrupted."""
        counts = {reason: len(keys) for reason, keys in sorted(self.dropped.items())}
        return {
            "steps": self.steps,
            "samples": self.samples,
            "rows": self.rows,
            "dropped": counts,
            "first_loss": round(self.first_loss, 6),
            "final_loss": round(self.final_loss, 6),
            "target_tokens": self.target_tokens,
        }
