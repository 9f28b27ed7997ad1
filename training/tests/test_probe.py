"""The probe finds what tokens hold, and does not find what they lack."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tiny
from siglip_hd_training.__main__ import main
from siglip_hd_training.pages import Glyph, Page, draw_page
from siglip_hd_training.probe import Patches, by_band, chance, fit_probe, score


def patches(count: int, informative: bool, seed: int) -> Patches:
    random = torch.Generator().manual_seed(seed)
    digits = torch.rand(count, 10, generator=random) < 0.15
    tokens = torch.randn(count, 16, generator=random)
    if informative:
        mixing = torch.randn(10, 16, generator=torch.Generator().manual_seed(7))
        tokens = 0.3 * tokens + digits.float() @ mixing + 5
    return Patches(tokens, digits, torch.where(digits.any(1), 10.0, 0.0))


def test_a_page_repeats_and_another_seed_gives_another() -> None:
    one, again, other = (draw_page(seed, [None]) for seed in (1, 1, 2))
    assert one.image.tobytes() == again.image.tobytes()
    assert one.glyphs == again.glyphs
    assert one.glyphs != other.glyphs
    assert {glyph.digit for glyph in one.glyphs} == set(range(10))
    assert all(0 <= glyph.left < glyph.right <= 1 and 0 <= glyph.top < glyph.bottom <= 1.001 for glyph in one.glyphs)


def test_a_glyph_is_drawn_where_its_box_says() -> None:
    page = draw_page(3, [None])
    side = page.image.width
    pixels = np.asarray(page.image.convert("L"), float)
    glyph = max(page.glyphs, key=lambda one: one.font_size)
    box = pixels[int(glyph.top * side) : int(glyph.bottom * side), int(glyph.left * side) : int(glyph.right * side)]
    assert box.min() < 120
    assert box.max() > 180


def test_a_patch_shows_the_digits_that_cover_it_or_lie_in_it() -> None:
    small = Glyph(3, 0.30, 0.30, 0.34, 0.36, 0.06)  # inside patch (1, 1) of 4 x 4
    wide = Glyph(7, 0.50, 0.00, 0.85, 0.25, 0.25)  # patches (0, 2) and 40 % of (0, 3)
    digits, sizes = Page(tiny_image(), (small, wide)).labels(4)
    shown = {(int(index) // 4, int(index) % 4, int(digit)) for index, digit in np.argwhere(digits)}
    assert shown == {(1, 1, 3), (0, 2, 7), (0, 3, 7)}
    assert sizes[5] == 0.06
    assert sizes[2] == 0.25


def tiny_image():
    from PIL import Image

    return Image.new("RGB", (8, 8))


def test_the_probe_reads_informative_tokens_and_stays_at_chance_on_noise() -> None:
    for informative in (True, False):
        fit, test = patches(4000, informative, 1), patches(2000, informative, 2)
        test = test.where(test.digits.any(1))
        found = score(fit_probe(fit, 0)(test.tokens), test.digits)
        expected = chance(fit, test.digits)
        if informative:
            assert found.precision > 0.9
            assert found.average_precision > 0.9
        else:
            assert found.precision == pytest.approx(expected.precision, abs=0.05)
            assert found.average_precision == pytest.approx(expected.average_precision, abs=0.05)


def test_precision_at_k_and_average_precision_equal_a_case_by_hand() -> None:
    digits = torch.zeros(2, 10, dtype=torch.bool)
    digits[0, [1, 2]] = True
    digits[1, 2] = True
    logits = torch.zeros(2, 10)
    logits[0, 1], logits[0, 5] = 2, 1  # finds 1, takes 5 for 2
    logits[1, 2] = 3
    found = score(logits, digits)
    assert found.precision == pytest.approx((0.5 + 1) / 2)
    # Digit 1: first of two. Digit 2: both patches show it.
    assert found.average_precision == pytest.approx(1)


def test_each_patch_with_digits_is_in_one_band() -> None:
    sizes = torch.tensor([0.0, 6.0, 7.5, 8.9, 9.0, 12.0, 20.0])
    shown = (sizes > 0)[:, None].expand(-1, 10)
    *bands, together = by_band(Patches(torch.zeros(7, 1), shown, sizes))
    assert [mask.sum().item() for mask in bands] == [1, 2, 1, 1, 1]
    assert torch.equal(torch.stack(bands).sum(0).bool(), together)


def test_the_command_prints_a_row_for_each_encoder_scale_and_layer(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tiny.FIXTURES / "siglip-tiny")
    flags = ["--scales=512", "--scales=512,1024", "--features=pre_norm", "--pages=2,1", "--seeds=1"]
    assert main(["probe", model, *flags]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(model)[-1].split()[0] for line in lines[3:]] == ["512", "512,1024"]
    assert "chance" in lines[2]
    assert all(len(line.split()[-2].split("/")) == 2 for line in lines[2:3])
