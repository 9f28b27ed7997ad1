"""PCA pictures: images beside the tokens of base, teacher and student, in three colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

_CELL_PX = 256


def save_picture(path: Path, views: torch.Tensor, columns: Sequence[torch.Tensor], reference: int) -> None:
    """Writes a row for each image: the view, then each column's tokens.

    Args:
        path: A PNG file.
        views: uint8, [N, 3, side, side].
        columns: Tokens [N, tokens, channels] of each encoder.
        reference: The column that the components and the range of colours are fitted to, image by image.
    """
    rows = []
    for index, view in enumerate(views):
        tokens = [column[index].float().cpu() for column in columns]
        cells = [Image.fromarray(view.permute(1, 2, 0).cpu().numpy())]
        cells += [Image.fromarray(colours.numpy()) for colours in _colour(tokens, tokens[reference])]
        rows.append([cell.resize((_CELL_PX, _CELL_PX), Image.Resampling.NEAREST) for cell in cells])
    sheet = Image.new("RGB", (_CELL_PX * len(rows[0]), _CELL_PX * len(rows)))
    for y, row in enumerate(rows):
        for x, cell in enumerate(row):
            sheet.paste(cell, (x * _CELL_PX, y * _CELL_PX))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _colour(columns: Sequence[torch.Tensor], reference: torch.Tensor) -> list[torch.Tensor]:
    """Maps [side, side, 3] of the first three principal components of the reference."""
    mean = reference.mean(0)
    _, _, components = torch.linalg.svd(reference - mean, full_matrices=False)
    # A component's sign is arbitrary; fixing it keeps the colours of one step comparable to those of the next.
    axes = components[:3] * components[:3].sum(1, keepdim=True).sign()
    fitted = (reference - mean) @ axes.T
    low, high = (torch.quantile(fitted, share, dim=0) for share in (0.01, 0.99))
    maps = []
    for column in columns:
        scaled = ((column - mean) @ axes.T - low) / (high - low).clamp_min(1e-12)
        side = round(len(column) ** 0.5)
        maps.append((scaled.clamp(0, 1) * 255).to(torch.uint8).reshape(side, side, -1))
    return maps
