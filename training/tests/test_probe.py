"""The probe finds what tokens hold, and does not find what they lack."""

from __future__ import annotations

import pytest
import torch

import tiny
from siglip_hd_training.__main__ import main
from siglip_hd_training.kinds import GROUPS
from siglip_hd_training.probe import Patches, by_band, chance, fit_probe, score


def patches(count: int, informative: bool, seed: int) -> Patches:
    random = torch.Generator().manual_seed(seed)
    shown = torch.rand(count, 10, generator=random) < 0.15
    tokens = torch.randn(count, 16, generator=random)
    if informative:
        mixing = torch.randn(10, 16, generator=torch.Generator().manual_seed(7))
        tokens = 0.3 * tokens + shown.float() @ mixing + 5
    return Patches(tokens, shown, torch.where(shown.any(1), 10.0, 0.0))


def test_the_probe_reads_informative_tokens_and_stays_at_chance_on_noise() -> None:
    for informative in (True, False):
        fit, test = patches(4000, informative, 1), patches(2000, informative, 2)
        test = test.where(test.shown.any(1))
        found = score(fit_probe(fit, 0)(test.tokens), test.shown)
        expected = chance(fit, test.shown)
        if informative:
            assert found.precision > 0.9
            assert found.average_precision > 0.9
        else:
            assert found.precision == pytest.approx(expected.precision, abs=0.05)
            assert found.average_precision == pytest.approx(expected.average_precision, abs=0.05)


def test_precision_at_k_and_average_precision_equal_a_case_by_hand() -> None:
    shown = torch.zeros(2, 10, dtype=torch.bool)
    shown[0, [1, 2]] = True
    shown[1, 2] = True
    logits = torch.zeros(2, 10)
    logits[0, 1], logits[0, 5] = 2, 1  # finds 1, takes 5 for 2
    logits[1, 2] = 3
    found = score(logits, shown)
    assert found.precision == pytest.approx((0.5 + 1) / 2)
    # Kind 1: first of two. Kind 2: both patches show it.
    assert found.average_precision == pytest.approx(1)


def test_each_patch_that_shows_the_group_is_in_one_band() -> None:
    heights = torch.tensor([0.0, 6.0, 7.5, 8.9, 9.0, 12.0, 20.0])
    shown = (heights > 0)[:, None].expand(-1, 10)
    *bands, together = by_band(Patches(torch.zeros(7, 1), shown, heights))
    assert [mask.sum().item() for mask in bands] == [1, 2, 1, 2]
    assert torch.equal(torch.stack(bands).sum(0).bool(), together)


def test_the_command_prints_a_row_for_each_encoder_scale_layer_and_group(capsys: pytest.CaptureFixture[str]) -> None:
    model = str(tiny.FIXTURES / "siglip-tiny")
    flags = ["--scales=512", "--scales=512,1024", "--features=pre_norm", "--pages=4,4", "--seeds=1"]
    assert main(["probe", model, *flags]) == 0
    _, _, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows[:3]] == [["chance", group] for group in GROUPS]
    read = [row[1:4] for row in rows[3:]]
    assert read == [[scales, "pre_norm", group] for scales in ("512", "512,1024") for group in GROUPS]
    assert all(len(row[-2].split("/")) == 2 for row in rows)
