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
        (left, top, right, bottom), advance = _measure(style.font, style.font_px, character)
        self._draw.text((x, y), character, fill=style.ink, font=_font(style.font, style.font_px))
        kind = KIND[character] if character.isdigit() else KIND["letter"]
        self._add(kind, (x + left, y + top, x + right, y + bottom), style.height_px)
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

    def rule(self, box: Box, ink: Colour) -> None:
        """Draws a line of a table or an axis: a filled box."""
        edges = tuple(round(edge) for edge in box)
        self._draw.rectangle((edges[0], edges[1], edges[2] - 1, edges[3] - 1), fill=ink)
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


@lru_cache(maxsize=65536)
def _measure(path: Path | None, size_px: int, character: str) -> tuple[Box, float]:
    font = _font(path, size_px)
    return font.getbbox(character), font.getlength(character)
