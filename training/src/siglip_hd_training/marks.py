"""The shapes of chart marks."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image, ImageDraw

#: Marks are drawn so many times larger, for smooth edges.
_ENLARGEMENT = 4

_Point = tuple[float, float]

_POLYGONS: dict[str, list[_Point]] = {
    "square": [(0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)],
    "triangle": [(0.5, 0.04), (1.0, 0.94), (0.0, 0.94)],
    "diamond": [(0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)],
}
_LINES: dict[str, list[tuple[_Point, _Point]]] = {
    "plus": [((0.5, 0.0), (0.5, 1.0)), ((0.0, 0.5), (1.0, 0.5))],
    "cross": [((0.06, 0.06), (0.94, 0.94)), ((0.06, 0.94), (0.94, 0.06))],
    "dash": [((0.0, 0.5), (1.0, 0.5))],
    "bar": [((0.5, 0.0), (0.5, 1.0))],
    "slash": [((0.06, 0.94), (0.94, 0.06))],
    "backslash": [((0.06, 0.06), (0.94, 0.94))],
}


@lru_cache(maxsize=4096)
def mark_mask(name: str, side_px: int, stroke_px: int) -> Image.Image:
    """A mark as an 8-bit mask of side_px x side_px pixels."""
    side = side_px * _ENLARGEMENT
    width = stroke_px * _ENLARGEMENT
    mask = Image.new("L", (side, side))
    draw = ImageDraw.Draw(mask)
    whole = (0, 0, side - 1, side - 1)
    if name == "disc":
        draw.ellipse(whole, fill=255)
    elif name == "ring":
        draw.ellipse(whole, outline=255, width=width)
    elif name == "frame":
        draw.rectangle((0.04 * side, 0.04 * side, 0.96 * side, 0.96 * side), outline=255, width=width)
    elif name in _POLYGONS:
        draw.polygon([(x * side, y * side) for x, y in _POLYGONS[name]], fill=255)
    else:
        for start, end in _LINES[name]:
            draw.line([(x * side, y * side) for x, y in (start, end)], fill=255, width=width)
    return mask.resize((side_px, side_px), Image.Resampling.BOX)
