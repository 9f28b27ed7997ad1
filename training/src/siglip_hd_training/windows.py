"""Cuts a large view into windows, and puts their tokens together again."""

from __future__ import annotations

import torch


def cut(views: torch.Tensor, side: int) -> torch.Tensor:
    """Cuts views [N, 3, k * side, k * side] into windows [N * k * k, 3, side, side], row by row, without overlap."""
    count, channels, height, width = views.shape
    windows = views.reshape(count, channels, height // side, side, width // side, side)
    return windows.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, side, side)


def stitch(tokens: torch.Tensor, per_side: int) -> torch.Tensor:
    """Puts windows' tokens [N * k * k, t * t, C] together to maps [N, C, k * t, k * t]."""
    side = round(tokens.shape[1] ** 0.5)
    maps = tokens.reshape(-1, per_side, per_side, side, side, tokens.shape[2])
    return maps.permute(0, 5, 1, 3, 2, 4).reshape(-1, tokens.shape[2], per_side * side, per_side * side)
