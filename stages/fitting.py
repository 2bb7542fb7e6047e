"""Training at work in a stage."""

from __future__ import annotations

from mathse.core.params import Training
from mathse.training import TrainConfig


def train_config(
    section: Training, *, seed: int, steps: int | None, emphasis_weight: float = 1.0
) -> TrainConfig:
    """Return the training configuration of a section."""
    names = (
        "learning_rate",
        "warmup_ratio",
        "weight_decay",
        "batch_size",
        "micro_batch_size",
        "epochs",
        "max_tokens",
        "precision",
        "save_every_steps",
    )
    values = {name: getattr(section, name) for name in names}
    return TrainConfig(
        **values,
        steps=steps,
        seed=seed,
        emphasis_weight=emphasis_weight,
        frozen=tuple(section.frozen),
    )
