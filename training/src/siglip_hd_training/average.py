"""An exponential moving average of the student's weights."""

from __future__ import annotations

import torch

from .distribution import Weights, copy_whole
from .tower import Tower


class Average:
    """Weights that follow the student's; shards, if the student's are.

    Args:
        student: The student, whose weights it starts with.
        decay: Share of the old average in the new one.
    """

    def __init__(self, student: Tower, decay: float) -> None:
        self.weights: Weights = {name: its.detach().clone() for name, its in student.named_parameters()}
        self._decay = decay

    @torch.no_grad()
    def update(self, student: Tower) -> None:
        """Follows the student by a step."""
        for name, its in student.named_parameters():
            self.weights[name].lerp_(its, 1 - self._decay)

    @torch.no_grad()
    def load(self, weights: Weights) -> None:
        """Takes the whole weights of a checkpoint."""
        for name, mine in self.weights.items():
            copy_whole(mine, weights[name])
