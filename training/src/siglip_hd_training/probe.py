"""The linear probe: how well a linear layer reads digits from frozen tokens, by the size of the glyphs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from .checkpoint import read_checkpoint
from .export import restore_student
from .pages import Page, draw_page, find_fonts
from .preprocessing import Preprocessing
from .teacher import Teacher
from .tower import Tower, load_model

#: Edges of the bands of font sizes, in pixels of the tower's image size.
BANDS_PX = (0.0, 7.5, 9.0, 11.0, 13.5, float("inf"))
_FIRST_TEST_SEED = 1_000_000
_EPOCHS = 6
_BATCH = 2048
_LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class Patches:
    """Patches of pages: tokens [N, channels], digits bool [N, 10], font sizes in pixels [N]; 0 where there is none."""

    tokens: torch.Tensor
    digits: torch.Tensor
    sizes_px: torch.Tensor

    def where(self, mask: torch.Tensor) -> Patches:
        """The patches of a mask or of indices."""
        return Patches(self.tokens[mask], self.digits[mask], self.sizes_px[mask])


@dataclass(frozen=True)
class Score:
    """Precision at k, for a patch with k digits, and mean average precision over digits."""

    precision: float
    average_precision: float


def load_encoder(source: str, features: str | None, scales: Sequence[int] | None) -> Teacher:
    """An encoder from a checkpoint of the trainer (.pt), a folder, or the hub. Several scales are fused."""
    if source.endswith(".pt"):
        student, preprocessing = restore_student(read_checkpoint(Path(source)))
        tower = Tower(student.model, features or student.features)
    else:
        tower = Tower(load_model(source), features or "last_hidden_state")
        preprocessing = Preprocessing.read(source)
    return Teacher(tower, preprocessing, scales or (tower.image_size,))


def draw_pages(counts: tuple[int, int], fonts: Path | None, seed: int = 0) -> tuple[list[Page], list[Page]]:
    """Pages to fit the probe on, and other pages to test it on."""
    found = find_fonts(fonts)
    starts = (seed, seed + _FIRST_TEST_SEED)
    fit, test = (
        [draw_page(start + index, found) for index in range(count)] for start, count in zip(starts, counts, strict=True)
    )
    return fit, test


def encode_pages(encoder: Teacher, pages: Sequence[Page], device: torch.device) -> Patches:
    """The patches of all pages."""
    encoder.to(device)
    tokens, digits, sizes = [], [], []
    for page in tqdm(pages, unit="page", leave=False, disable=None):
        views = {scale: encoder.preprocessing.view(page.image, scale)[None].to(device) for scale in encoder.scales}
        tokens.append(encoder(views)[0].cpu())
        shown, font_sizes = page.labels(encoder.side)
        digits.append(torch.from_numpy(shown))
        sizes.append(torch.from_numpy(font_sizes) * encoder.tower.image_size)
    return Patches(torch.cat(tokens), torch.cat(digits), torch.cat(sizes))


def fit_probe(patches: Patches, seed: int) -> torch.nn.Module:
    """Fits a linear layer on standardised tokens: all patches with digits, and a quarter as many without."""
    random = torch.Generator().manual_seed(seed)
    shown = patches.digits.any(1)
    others = torch.nonzero(~shown).flatten()
    others = others[torch.randperm(len(others), generator=random)[: int(shown.sum()) // 4]]
    chosen = patches.where(torch.cat([torch.nonzero(shown).flatten(), others]))
    mean, deviation = chosen.tokens.mean(0), chosen.tokens.std(0).clamp_min(1e-6)
    tokens, targets = (chosen.tokens - mean) / deviation, chosen.digits.float()
    weight = torch.zeros(10, tokens.shape[1], requires_grad=True)
    bias = torch.zeros(10, requires_grad=True)
    optimizer = torch.optim.AdamW([weight, bias], lr=_LEARNING_RATE)
    steps = _EPOCHS * -(-len(tokens) // _BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(_EPOCHS):
        for part in torch.randperm(len(tokens), generator=random).split(_BATCH):
            logits = functional.linear(tokens[part], weight, bias)
            loss = functional.binary_cross_entropy_with_logits(logits, targets[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    layer = torch.nn.Linear(tokens.shape[1], 10)
    with torch.no_grad():
        layer.weight.copy_(weight / deviation)
        layer.bias.copy_(bias - (weight / deviation) @ mean)
    return layer.requires_grad_(False)


def score(logits: torch.Tensor, digits: torch.Tensor) -> Score:
    """Scores the logits of patches that all have digits."""
    ranks = logits.argsort(1, descending=True).argsort(1)
    counts = digits.sum(1)
    right = (digits & (ranks < counts[:, None])).sum(1)
    averages = [_average_precision(logits[:, digit], digits[:, digit]) for digit in range(10) if digits[:, digit].any()]
    return Score((right / counts).mean().item(), float(np.mean(averages)))


def _average_precision(logits: torch.Tensor, is_shown: torch.Tensor) -> float:
    shown = is_shown[logits.argsort(descending=True)].double()
    precision = shown.cumsum(0) / torch.arange(1, len(shown) + 1)
    return ((precision * shown).sum() / shown.sum()).item()


def chance(fit: Patches, digits: torch.Tensor) -> Score:
    """The score of one that knows how frequent each digit is, and does not look."""
    prior = fit.digits.double().mean(0)
    ranked = score(prior.expand(len(digits), 10), digits)
    # Ties have no order: the average precision of one that does not look is the share of patches with the digit.
    return Score(ranked.precision, digits.double().mean().item())


def by_band(patches: Patches) -> list[torch.Tensor]:
    """Masks of the patches with digits: one for each band, then all."""
    shown = patches.digits.any(1)
    bands = [
        shown & (patches.sizes_px >= low) & (patches.sizes_px < high) for low, high in itertools.pairwise(BANDS_PX)
    ]
    return [*bands, shown]
