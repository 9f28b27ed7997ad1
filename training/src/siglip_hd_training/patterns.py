"""The patterns that fill the bars of a chart."""

from __future__ import annotations

import numpy as np
from PIL import Image

_DOT_RADIUS = 0.33


def pattern_mask(name: str, size_px: tuple[int, int], period_px: float, stroke_px: float) -> Image.Image:
    """A pattern as an 8-bit mask of a width and height, with smooth edges.

    Args:
        name: The pattern.
        size_px: The mask's width and height.
        period_px: The distance of lines or dots.
        stroke_px: The width of lines.
    """
    x, y = np.meshgrid(np.arange(size_px[0], dtype=np.float32), np.arange(size_px[1], dtype=np.float32))
    rising, falling = (x + y) * 0.5**0.5, (x - y) * 0.5**0.5
    across = {"lines": (y,), "columns": (x,), "rising": (rising,), "falling": (falling,), "grid": (x, y)}
    if name == "dots":
        distance = np.hypot(_off(x, period_px), _off(y, period_px))
        ink = _DOT_RADIUS * period_px - distance
    elif name == "checks":
        ink = np.where((2 * x // period_px + 2 * y // period_px) % 2 == 0, 1.0, -1.0)
    else:
        places = across.get(name, (rising, falling))
        ink = stroke_px / 2 - np.minimum.reduce([_off(place, period_px) for place in places])
    return Image.fromarray((np.clip(ink + 0.5, 0, 1) * 255).astype(np.uint8))


def _off(place: np.ndarray, period: float) -> np.ndarray:
    """The distance to the middle of the nearest line."""
    return np.abs((place / period) % 1 - 0.5) * period
