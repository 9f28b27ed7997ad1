"""Synthetic documents whose contents are known: the same seed and fonts always give the same page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from .blocks import BLOCKS
from .canvas import Canvas, Glyph, Style
from .errors import TrainingError
from .kinds import KINDS

#: Sides of pages, which hold a view of 1024.
SIDES_PX = (1024, 1280)
#: A glyph belongs to a patch if it covers this share of the patch, or of itself if it is smaller, in each direction.
_COVERAGE = 0.35
#: Pages are laid out for a view of this side, of which heights are given in pixels.
VIEW_PX = 512
#: Heights of glyphs on the pages of the student and the probe.
HEIGHTS_PX = (6.0, 14.0)


@dataclass(frozen=True)
class Page:
    """A page and what it shows."""

    image: Image.Image
    glyphs: tuple[Glyph, ...]

    def heights(self, side: int) -> np.ndarray:
        """What a grid of side x side patches shows.

        Returns:
            float32 [side * side, kinds], the height of the largest glyph of each kind, as a share of the page's side;
            0 where the patch does not show the kind.
        """
        heights = np.zeros((side, side, len(KINDS)), np.float32)
        for glyph in self.glyphs:
            left, right, top, bottom = (edge * side for edge in (glyph.left, glyph.right, glyph.top, glyph.bottom))
            least = _COVERAGE * min(1.0, right - left) * min(1.0, bottom - top)
            for row in range(max(0, int(top)), min(side, math.ceil(bottom))):
                height = min(bottom, row + 1) - max(top, row)
                for column in range(max(0, int(left)), min(side, math.ceil(right))):
                    if height * (min(right, column + 1) - max(left, column)) >= least:
                        heights[row, column, glyph.kind] = max(heights[row, column, glyph.kind], glyph.height)
        return heights.reshape(-1, len(KINDS))


def find_fonts(folder: Path | None) -> list[Path | None]:
    """The TrueType fonts of a folder; without one, the font inside Pillow."""
    if folder is None:
        return [None]
    fonts: list[Path | None] = [*sorted((*folder.rglob("*.ttf"), *folder.rglob("*.otf")))]
    if not fonts:
        raise TrainingError(f"{folder} has no .ttf or .otf file.")
    return fonts


def draw_page(
    seed: int,
    fonts: Sequence[Path | None],
    heights_px: tuple[float, float] = HEIGHTS_PX,
    sides_px: tuple[int, int] = SIDES_PX,
) -> Page:
    """Draws blocks of text, tables, charts and pictures in one or two columns, on coloured paper.

    Args:
        seed: The seed.
        fonts: The fonts, of which each block has one.
        heights_px: Range of the height of glyphs at a view of `VIEW_PX`; each block has one, log-uniform.
        sides_px: Range of the page's side.
    """
    random = np.random.default_rng(seed)
    side = int(random.integers(sides_px[0], sides_px[1] + 1))
    canvas = Canvas(side, tuple(random.integers(200, 256, 3).tolist()), random)
    columns = int(random.integers(1, 3))
    low, high = (math.log(height) for height in heights_px)
    for column in range(columns):
        left, right = (side * (at / columns + gap) for at, gap in ((column, 0.015), (column + 1, -0.015)))
        y = random.uniform(0.005, 0.03) * side
        while y < 0.93 * side:
            height_px = math.exp(random.uniform(low, high)) * side / VIEW_PX
            style = Style(
                height_px=height_px,
                font=fonts[int(random.integers(len(fonts)))],
                ink=tuple(random.integers(0, 100, 3).tolist()),
                stroke=random.uniform(0.14, 0.24),
            )
            bottom = min(0.985 * side, y + max(random.uniform(0.08, 0.2) * side, random.uniform(5, 9) * height_px))
            block = BLOCKS[int(random.choice(len(BLOCKS), p=[share for share, _ in BLOCKS]))][1]
            block(canvas, (left, y, right, bottom), style)
            y = bottom + random.uniform(0.01, 0.03) * side
    return Page(canvas.image, tuple(canvas.glyphs))
