"""Draws on a page, and keeps what was drawn where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .errors import TrainingError
from .kinds import KIND
from .marks import mark_mask
from .patterns import pattern_mask

#: The height of a digit as a share of its font's size.
_DIGIT_HEIGHT = 0.72

#: Left, top, right and bottom in pixels of the page.
Box = tuple[float, float, float, float]
Colour = tuple[int, ...]


@dataclass(frozen=True)
class Glyph:
    """Something on a page: its index in `KINDS`; its box and height as shares of the page's side."""

    kind: int
    left: float
    top: float
    right: float
    bottom: float
    height: float


@dataclass(frozen=True)
class Style:
    """How a block looks: the height of its digits and marks in pixels of the page, and strokes as a share of it."""

    height_px: float
    font: Path | None
    ink: Colour
    stroke: float

    @property
    def font_px(self) -> int:
        """The size of the font."""
        return max(4, round(self.height_px / _DIGIT_HEIGHT))

    @property
    def stroke_px(self) -> int:
        """The width of lines."""
        return max(1, round(self.stroke * self.height_px))


class Canvas:
    """A page that is being drawn."""

    def __init__(self, side: int, paper: Colour, random: np.random.Generator) -> None:
        self.image = Image.new("RGB", (side, side), paper)
        self.random = random
        self.glyphs: list[Glyph] = []
        self._draw = ImageDraw.Draw(self.image)
        self._side = side

    def character(self, character: str, x: float, y: float, style: Style) -> float:
        """Draws a digit or a letter with its line's top at y; returns its advance."""
        mask, (left, top), advance = _character_mask(style.font, style.font_px, character)
        left, top = round(x + left), round(y + top)
        self.image.paste(style.ink, (left, top), mask)
        kind = KIND[character] if character.isdigit() else KIND["letter"]
        self._add(kind, (left, top, left + mask.width, top + mask.height), style.height_px)
        return advance

    def mark(self, name: str, x: float, y: float, style: Style) -> None:
        """Draws a mark with its centre at x, y."""
        side = max(3, round(style.height_px))
        mask = mark_mask(name, side, style.stroke_px)
        left, top = round(x - side / 2), round(y - side / 2)
        self.image.paste(style.ink, (left, top), mask)
        # The box is that of the ink: a dash is flat.
        inner = mask.getbbox() or (0, 0, side, side)
        self._add(KIND[name], (left + inner[0], top + inner[1], left + inner[2], top + inner[3]), style.height_px)

    def pattern(self, name: str, box: Box, style: Style) -> None:
        """Fills a box with a pattern whose period is half the style's height."""
        left, top, right, bottom = (round(edge) for edge in box)
        period = style.height_px / 2
        mask = pattern_mask(name, (right - left, bottom - top), period, 2 * style.stroke * period)
        self.image.paste(style.ink, (left, top), mask)
        self._add(KIND[name], box, style.height_px)

    def rule(self, box: Box, ink: Colour) -> None:
        """Draws a line of a table or an axis: a filled box."""
        left, top = round(box[0]), round(box[1])
        self._draw.rectangle((left, top, max(left, round(box[2]) - 1), max(top, round(box[3]) - 1)), fill=ink)
        self._add(KIND["rule"], box, min(box[2] - box[0], box[3] - box[1]))

    def picture(self, box: Box, picture: Image.Image) -> None:
        """Fills a box with a picture."""
        left, top, right, bottom = (round(edge) for edge in box)
        self.image.paste(picture.resize((right - left, bottom - top), Image.Resampling.BICUBIC), (left, top))
        self._add(KIND["picture"], box, box[3] - box[1])

    def _add(self, kind: int, box: Box, height_px: float) -> None:
        left, top, right, bottom = (edge / self._side for edge in box)
        self.glyphs.append(Glyph(kind, left, top, right, bottom, height_px / self._side))


@lru_cache(maxsize=256)
def _font(path: Path | None, size_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size_px) if path is None else ImageFont.truetype(str(path), size_px)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TrainingError("This Pillow has no FreeType. Install Pillow from its wheel.")
    return font


@lru_cache(maxsize=16384)
def _character_mask(path: Path | None, size_px: int, character: str) -> tuple[Image.Image, tuple[float, float], float]:
    """A character's ink as an 8-bit mask, the offset of its corner, and the character's advance."""
    font = _font(path, size_px)
    left, top, right, bottom = font.getbbox(character)
    mask = Image.new("L", (round(right - left), round(bottom - top)))
    ImageDraw.Draw(mask).text((-left, -top), character, fill=255, font=font)
    return mask, (left, top), font.getlength(character)
