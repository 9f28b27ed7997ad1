"""The blocks of a synthetic page: text, tables, charts and pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from .canvas import Box, Canvas, Style
from .kinds import DIGITS, MARKS, PATTERNS

_LETTERS = tuple("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGIT_WORDS = 0.7


def _text(canvas: Canvas, box: Box, style: Style) -> None:
    """Lines of numbers and words."""
    left, y, right, bottom = box
    spacing = canvas.random.uniform(1.15, 1.6) * style.font_px
    while y + spacing < bottom:
        # A paragraph's last line is short.
        end = right if canvas.random.random() < 0.8 else canvas.random.uniform(left, right)
        x = left
        while x < end:
            x = _word(canvas, (x, y), right, style)
        y += spacing


def _word(canvas: Canvas, at: tuple[float, float], right: float, style: Style) -> float:
    """Draws a number or a word; returns where the next begins, or `right` if there is no room."""
    alphabet = DIGITS if canvas.random.random() < _DIGIT_WORDS else _LETTERS
    x, y = at
    for index in canvas.random.integers(0, len(alphabet), int(canvas.random.integers(1, 8))):
        if x + style.font_px > right:
            return right
        x += canvas.character(alphabet[int(index)], x, y, style)
    return x + 0.5 * style.font_px


def _marks(canvas: Canvas, box: Box, style: Style) -> None:
    """A chart: two axes, and marks that do not touch."""
    left, top, right, bottom = box
    width = max(1.0, style.stroke_px * 0.7)
    canvas.rule((left, top, left + width, bottom), style.ink)
    canvas.rule((left, bottom - width, right, bottom), style.ink)
    pitch = canvas.random.uniform(1.3, 1.8) * style.height_px
    free = pitch - 1.15 * style.height_px
    share = canvas.random.uniform(0.6, 1.0)
    for y in np.arange(top + pitch / 2, bottom - width - pitch / 2, pitch):
        for x in np.arange(left + width + pitch, right - pitch / 2, pitch):
            if canvas.random.random() < share:
                name = MARKS[int(canvas.random.integers(len(MARKS)))]
                shift_x, shift_y = canvas.random.uniform(-free / 2, free / 2, 2)
                canvas.mark(name, x + shift_x, y + shift_y, style)


def _bars(canvas: Canvas, box: Box, style: Style) -> None:
    """A bar chart: bars that stand on an axis, each with a pattern."""
    left, top, right, bottom = box
    base = bottom - style.stroke_px
    canvas.rule((left, base, right, bottom), style.ink)
    width = canvas.random.uniform(0.05, 0.09) * canvas.image.width
    gap = canvas.random.uniform(0.0, 0.3) * width
    for x in np.arange(left + gap, right - width, width + gap):
        height = canvas.random.uniform(0.4, 1.0) * (base - top)
        name = PATTERNS[int(canvas.random.integers(len(PATTERNS)))]
        canvas.pattern(name, (x, base - height, x + width, base), style)


def _table(canvas: Canvas, box: Box, style: Style) -> None:
    """A table of numbers and marks between rules."""
    left, top, right, bottom = box
    row = canvas.random.uniform(1.3, 2.0) * style.font_px
    cell = canvas.random.uniform(2.0, 5.0) * style.font_px
    width = max(1.0, style.stroke_px * 0.5)
    ys = np.arange(top, bottom - row, row)
    xs = np.arange(left, right - cell, cell)
    if not len(ys):
        return
    for y in ys:
        canvas.rule((left, y, right, y + width), style.ink)
        for x in xs:
            if canvas.random.random() < 0.3:
                name = MARKS[int(canvas.random.integers(len(MARKS)))]
                canvas.mark(name, x + cell / 2, y + width + (row - width) / 2, style)
            elif canvas.random.random() < 0.85:
                at = (x + 0.4 * style.font_px, y + width + (row - width - style.font_px * 1.1) / 2)
                _number(canvas, at, x + cell, style)
    foot = top + len(ys) * row
    canvas.rule((left, foot, right, foot + width), style.ink)
    for x in xs:
        canvas.rule((x, top, x + width, foot), style.ink)


def _number(canvas: Canvas, at: tuple[float, float], right: float, style: Style) -> None:
    x, y = at
    for index in canvas.random.integers(0, 10, int(canvas.random.integers(1, 8))):
        if x + 0.9 * style.font_px > right:
            return
        x += canvas.character(DIGITS[int(index)], x, y, style)


def _picture(canvas: Canvas, box: Box, _style: Style) -> None:
    """A soft picture of random colours."""
    cells = int(canvas.random.integers(3, 12))
    canvas.picture(box, Image.fromarray(canvas.random.integers(0, 256, (cells, cells, 3), dtype=np.uint8)))


#: How often each kind of block is drawn.
BLOCKS: tuple[tuple[float, Callable[[Canvas, Box, Style], None]], ...] = (
    (0.32, _text),
    (0.33, _marks),
    (0.24, _bars),
    (0.07, _table),
    (0.04, _picture),
)
