"""Synthetic pages of digits, for the probe: the same seed always gives the same page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .errors import TrainingError

_SIDES_PX = (1024, 1400)
#: Font sizes as shares of the page's side: 6 to 17 px at a view of 512.
_FONT_SHARES = (6 / 512, 17 / 512)
_DIGIT_WORDS = 0.84
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#: A digit belongs to a patch if it covers this share of the smaller of the two.
_COVERAGE = 0.35


@dataclass(frozen=True)
class Glyph:
    """A digit on a page; positions and the font's size are shares of the page's side."""

    digit: int
    left: float
    top: float
    right: float
    bottom: float
    font_size: float


@dataclass(frozen=True)
class Page:
    """A page and the digits on it."""

    image: Image.Image
    glyphs: tuple[Glyph, ...]

    def labels(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        """What a grid of side x side patches shows.

        Returns:
            bool [side * side, 10], the digits of each patch; and float [side * side], the largest font of each.
        """
        digits = np.zeros((side, side, 10), bool)
        sizes = np.zeros((side, side))
        for glyph in self.glyphs:
            left, right, top, bottom = (edge * side for edge in (glyph.left, glyph.right, glyph.top, glyph.bottom))
            least = _COVERAGE * min(1.0, (right - left) * (bottom - top))
            for row in range(int(top), min(side, math.ceil(bottom))):
                height = min(bottom, row + 1) - max(top, row)
                for column in range(int(left), min(side, math.ceil(right))):
                    if height * (min(right, column + 1) - max(left, column)) >= least:
                        digits[row, column, glyph.digit] = True
                        sizes[row, column] = max(sizes[row, column], glyph.font_size)
        return digits.reshape(-1, 10), sizes.reshape(-1)


def find_fonts(folder: Path | None) -> list[Path | None]:
    """The TrueType fonts of a folder; without one, the font inside Pillow."""
    if folder is None:
        return [None]
    fonts: list[Path | None] = [*sorted((*folder.rglob("*.ttf"), *folder.rglob("*.otf")))]
    if not fonts:
        raise TrainingError(f"{folder} has no .ttf or .otf file.")
    return fonts


def draw_page(seed: int, fonts: Sequence[Path | None]) -> Page:
    """Draws blocks of numbers and words, each block in a font and size of its own, on coloured paper."""
    random = np.random.default_rng(seed)
    side = int(random.integers(_SIDES_PX[0], _SIDES_PX[1] + 1))
    image = Image.new("RGB", (side, side), tuple(random.integers(200, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    glyphs: list[Glyph] = []
    y = 0.02 * side
    while y < 0.95 * side:
        low, high = (math.log(share) for share in _FONT_SHARES)
        size = math.exp(random.uniform(low, high))
        font = _font(fonts[int(random.integers(len(fonts)))], round(size * side))
        ink = tuple(random.integers(0, 90, 3).tolist())
        y = _draw_block(draw, random, font, ink, y, side, glyphs)
        y += random.uniform(0.5, 2) * font.size
    return Page(image, tuple(glyphs))


def _draw_block(
    draw: ImageDraw.ImageDraw,
    random: np.random.Generator,
    font: ImageFont.FreeTypeFont,
    ink: tuple[int, ...],
    top: float,
    side: int,
    glyphs: list[Glyph],
) -> float:
    """Draws some lines from ``top``; returns where they end."""
    left, right = random.uniform(0.02, 0.3) * side, random.uniform(0.6, 0.98) * side
    spacing = random.uniform(1.2, 1.7) * font.size
    for _ in range(int(random.integers(2, 9))):
        if top + spacing > side:
            break
        x = left
        while x < right:
            x = _draw_word(draw, random, font, ink, (x, top), min(right, side), side, glyphs)
        top += spacing
    return top


def _draw_word(
    draw: ImageDraw.ImageDraw,
    random: np.random.Generator,
    font: ImageFont.FreeTypeFont,
    ink: tuple[int, ...],
    at: tuple[float, float],
    right: float,
    side: int,
    glyphs: list[Glyph],
) -> float:
    """Draws a number or a word; returns where the next begins."""
    alphabet = "0123456789" if random.random() < _DIGIT_WORDS else _LETTERS
    x, y = at
    for index in random.integers(0, len(alphabet), int(random.integers(1, 8))):
        character = alphabet[int(index)]
        box = font.getbbox(character)
        if x + box[2] > right:
            return right
        draw.text((x, y), character, fill=ink, font=font)
        if character.isdigit():
            edges = (x + box[0], y + box[1], x + box[2], y + box[3])
            glyphs.append(Glyph(int(character), *(edge / side for edge in edges), font.size / side))
        x += font.getlength(character)
    return x + 0.5 * font.size


@lru_cache(maxsize=256)
def _font(path: Path | None, size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px) if path is None else ImageFont.truetype(str(path), size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TrainingError("This Pillow has no FreeType. Install Pillow from its wheel.")
    return font
