"""The frozen base at several scales, as TeacherEncode of the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from .errors import TrainingError
from .fusion import fuse
from .preprocessing import Preprocessing
from .tower import Tower
from .windows import cut, stitch


class Teacher(nn.Module):
    """Fuses the tokens of a frozen tower over several scales.

    Args:
        tower: The base. It is frozen.
        preprocessing: How the base takes images.
        scales: Sides of the squares, multiples of the tower's image size.
        weights: Weight of each scale; only their proportions count.
        side: Side of the token grid of the answer: the student's.
        chunk: Largest number of windows in one forward pass.
    """

    def __init__(
        self,
        tower: Tower,
        preprocessing: Preprocessing,
        scales: Sequence[int],
        weights: Sequence[float] | None = None,
        side: int | None = None,
        chunk: int = 64,
    ) -> None:
        super().__init__()
        self.tower = tower.eval().requires_grad_(False)
        self.preprocessing = preprocessing
        self.scales = tuple(scales)
        self.weights = tuple(weights or [1.0] * len(scales))
        self.side = side or tower.side
        self.chunk = chunk
        check_scales(self.scales, self.weights, tower.image_size)

    @torch.no_grad()
    def forward(self, views: Mapping[int, torch.Tensor]) -> torch.Tensor:
        """The fused tokens of uint8 views by scale: float32, [N, side * side, channels]."""
        return fuse([self._map(views[scale]) for scale in self.scales], self.weights, self.side)

    def _map(self, views: torch.Tensor) -> torch.Tensor:
        windows = cut(views, self.tower.image_size)
        tokens = [self.tower(self.preprocessing.normalise(part)) for part in windows.split(self.chunk)]
        return stitch(torch.cat(tokens), views.shape[-1] // self.tower.image_size)


def check_scales(scales: Sequence[int], weights: Sequence[float], image_size: int) -> None:
    """Refuses scales that cannot be cut into windows, and weights that do not fit them."""
    odd = [scale for scale in scales if scale <= 0 or scale % image_size]
    if odd or not scales:
        example = f"{image_size},{2 * image_size}"
        raise TrainingError(f"scales are {list(scales)}; use multiples of the image size {image_size}, as {example}.")
    if len(weights) != len(scales) or any(weight <= 0 for weight in weights):
        raise TrainingError(f"weights are {list(weights)}; give a positive number for each of {len(scales)} scales.")
