"""A synthetic page shows what it says, where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siglip_hd_training.__main__ import main
from siglip_hd_training.canvas import Canvas, Glyph, Style
from siglip_hd_training.kinds import DIGITS, KIND, KINDS, MARKS, PATTERNS
from siglip_hd_training.marks import mark_mask
from siglip_hd_training.pages import Page, draw_page
from siglip_hd_training.patterns import pattern_mask

STYLE = Style(height_px=36.0, font=None, ink=(0, 0, 0), stroke=0.2)


def shown_at(page: Page, side: int) -> set[tuple[int, int, str]]:
    return {(int(patch) // side, int(patch) % side, KINDS[kind]) for patch, kind in np.argwhere(page.heights(side) > 0)}


def test_a_page_repeats_and_another_seed_gives_another() -> None:
    one, again, other = (draw_page(seed, [None]) for seed in (1, 1, 2))
    assert one.image.tobytes() == again.image.tobytes()
    assert one.glyphs == again.glyphs
    assert one.glyphs != other.glyphs


def test_some_pages_have_every_kind_and_none_leaves_the_page() -> None:
    glyphs = [glyph for seed in range(8) for glyph in draw_page(seed, [None]).glyphs]
    assert {glyph.kind for glyph in glyphs} == set(range(len(KINDS)))
    for glyph in glyphs:
        assert 0 <= glyph.left < glyph.right <= 1
        assert 0 <= glyph.top < glyph.bottom <= 1


def test_digits_and_marks_have_the_heights_that_were_asked_for() -> None:
    page = draw_page(4, [None], (9.0, 10.0))
    kinds = {KIND[name] for name in (*DIGITS, *MARKS)}
    heights = [glyph.height * 512 for glyph in page.glyphs if glyph.kind in kinds]
    assert min(heights) >= 9
    assert max(heights) <= 10
    digits = [glyph for glyph in page.glyphs if KINDS[glyph.kind] in DIGITS]
    assert np.mean([glyph.bottom - glyph.top for glyph in digits]) * 512 == pytest.approx(9.5, abs=1)


@pytest.mark.parametrize("name", [*DIGITS, *MARKS])
def test_the_ink_of_a_glyph_fills_its_box(name: str) -> None:
    canvas = Canvas(100, (255, 255, 255), np.random.default_rng(0))
    if name in MARKS:
        canvas.mark(name, 50, 50, STYLE)
    else:
        canvas.character(name, 40, 30, STYLE)
    (glyph,) = canvas.glyphs
    ink = np.asarray(canvas.image.convert("L")) < 200
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    left, top, right, bottom = (100 * edge for edge in (glyph.left, glyph.top, glyph.right, glyph.bottom))
    assert (rows[0], rows[-1] + 1) == pytest.approx((top, bottom), abs=1.5)
    if name in MARKS:
        assert (columns[0], columns[-1] + 1) == pytest.approx((left, right), abs=1.5)
    else:  # a digit's box has the room beside it as well
        assert left - 1 <= columns[0] < columns[-1] <= right


def test_no_two_marks_look_alike_at_the_smallest_size() -> None:
    masks = [np.asarray(mark_mask(name, 12, 2), float) / 255 for name in MARKS]
    for index, one in enumerate(masks):
        assert all(np.abs(one - other).sum() > 10 for other in masks[:index])


def test_a_pattern_has_its_period_in_its_direction() -> None:
    across = {"lines": (0, 8), "columns": (8, 0), "rising": (4, 4), "falling": (4, -4)}  # 64 px hold 8 periods of 8 px
    for name, (waves_x, waves_y) in across.items():
        period = 64 / np.hypot(waves_x, waves_y)
        mask = np.asarray(pattern_mask(name, (64, 64), period, period / 3), float)
        strengths = np.abs(np.fft.fft2(mask - mask.mean()))
        row, column = np.unravel_index(strengths[:, :32].argmax(), (64, 32))
        assert (column, row if row < 32 else row - 64) in ((waves_x, waves_y), (-waves_x, -waves_y))


def test_no_two_patterns_look_alike() -> None:
    strengths = []
    for name in PATTERNS:
        mask = np.asarray(pattern_mask(name, (64, 64), 8.0, 3.0), float) / 255
        strengths.append(np.abs(np.fft.fft2(mask - mask.mean())) / 64)
    for index, one in enumerate(strengths):
        assert all(np.linalg.norm(one - other) > 5 for other in strengths[:index])


def test_a_patch_shows_the_glyphs_that_cover_it_or_lie_in_it() -> None:
    small = Glyph(KIND["3"], 0.30, 0.30, 0.34, 0.36, 0.06)  # inside patch (1, 1) of 4 x 4
    wide = Glyph(KIND["disc"], 0.50, 0.00, 0.85, 0.25, 0.25)  # patches (0, 2) and 40 % of (0, 3)
    line = Glyph(KIND["rule"], 0.00, 0.80, 0.30, 0.81, 0.01)  # patch (3, 0) and 20 % of (3, 1)
    page = Page(Image.new("RGB", (8, 8)), (small, wide, line))
    assert shown_at(page, 4) == {(1, 1, "3"), (0, 2, "disc"), (0, 3, "disc"), (3, 0, "rule")}
    heights = page.heights(4)
    assert heights[5, KIND["3"]] == pytest.approx(0.06)
    assert heights[2, KIND["disc"]] == pytest.approx(0.25)


def test_pages_are_written_as_images_that_can_be_drawn_again(tmp_path: Path) -> None:
    out = tmp_path / "pages"
    flags = ["draw-pages", f"--out={out}", "--pages=2", "--first-page=7", "--heights=8,9"]
    assert main(flags) == 0
    assert [path.name for path in sorted(out.iterdir())] == ["00000007.png", "00000008.png"]
    again = draw_page(8, [None], (8.0, 9.0))
    assert Image.open(out / "00000008.png").tobytes() == again.image.tobytes()
    assert main(flags) == 1
