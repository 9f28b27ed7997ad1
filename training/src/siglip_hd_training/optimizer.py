"""AdamW with the paper's schedule."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import nn


class Schedule(Protocol):
    """What the optimizer takes from a run's settings."""

    @property
    def steps(self) -> int:
        """Steps of the run."""

    @property
    def warm_up_steps(self) -> int:
        """Steps of linear warm-up."""

    @property
    def learning_rate(self) -> float:
        """The highest learning rate."""

    @property
    def weight_decay(self) -> float:
        """The decay of matrices."""


def build_optimizer(
    student: nn.Module, settings: Schedule, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.AdamW:
    """AdamW over the trainable parameters. Biases and norms do not decay."""
    trainable = [parameter for parameter in student.parameters() if parameter.requires_grad]
    groups = [
        {"params": [one for one in trainable if one.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [one for one in trainable if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas)


def learning_rate(step: int, settings: Schedule) -> float:
    """Linear warm-up, then a cosine to 0. A function of the step alone, so that nothing is lost on resume."""
    if step < settings.warm_up_steps:
        return settings.learning_rate * (step + 1) / settings.warm_up_steps
    progress = (step - settings.warm_up_steps) / (settings.steps - settings.warm_up_steps)
    return settings.learning_rate * (1 + math.cos(math.pi * progress)) / 2
