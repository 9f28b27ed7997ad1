"""Fuses the token maps of several scales."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def fuse(maps: Sequence[torch.Tensor], weights: Sequence[float], side: int) -> torch.Tensor:
    """The weighted mean of maps [N, C, h, w] at a grid of side x side: [N, side * side, C].

    The interpolation is torch's bilinear without antialiasing, as in the paper; 2 to 1 is then the mean of 2 x 2.
    """
    shares = [weight / sum(weights) for weight in weights]
    fused = sum(share * _fit(scale_map.float(), side) for scale_map, share in zip(maps, shares, strict=True))
    return torch.as_tensor(fused).flatten(2).transpose(1, 2)


def _fit(scale_map: torch.Tensor, side: int) -> torch.Tensor:
    if scale_map.shape[-1] == side:
        return scale_map
    return functional.interpolate(scale_map, size=(side, side), mode="bilinear", align_corners=False)
