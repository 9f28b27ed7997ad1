"""An exponential moving average of the student."""

from __future__ import annotations

import copy

import torch

from .tower import Tower


class Average:
    """A tower whose weights follow the student's.

    Args:
        student: The student, whose weights it starts with.
        decay: Share of the old average in the new one.
    """

    def __init__(self, student: Tower, decay: float) -> None:
        self.tower = copy.deepcopy(student).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, student: Tower) -> None:
        """Follows the student by a step."""
        for mine, its in zip(self.tower.parameters(), student.parameters(), strict=True):
            mine.lerp_(its, 1 - self._decay)
