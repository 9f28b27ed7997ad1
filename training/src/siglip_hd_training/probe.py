"""The linear probe: how well a linear layer tells kinds of glyphs from frozen tokens, by the glyphs' height."""

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
from .kinds import GROUPS
from .pages import HEIGHTS_PX, Page, draw_page, find_fonts
from .preprocessing import Preprocessing
from .teacher import Teacher
from .tower import Tower, load_model

#: Edges of the bands of heights, in pixels of the tower's image size.
BANDS_PX = (0.0, 7.5, 9.0, 11.0, float("inf"))
#: Pages to fit and to test on have seeds from these on; draw-pages and nano-base stay away from them.
_FIRST_FIT_PAGE = 100_000_000
_FIRST_TEST_PAGE = 200_000_000
_EPOCHS = 6
_BATCH = 2048
_LEARNING_RATE = 1e-2


@dataclass(frozen=True)
class Patches:
    """Patches of pages and a group's kinds: tokens [N, channels], bool [N, kinds], and heights in pixels [N] or 0."""

    tokens: torch.Tensor
    shown: torch.Tensor
    heights_px: torch.Tensor

    def where(self, mask: torch.Tensor) -> Patches:
        """The patches of a mask or of indices."""
        return Patches(self.tokens[mask], self.shown[mask], self.heights_px[mask])


@dataclass(frozen=True)
class EncodedPages:
    """The patches of pages: tokens [N, channels], and the heights in pixels of all kinds [N, kinds]."""

    tokens: torch.Tensor
    heights_px: torch.Tensor

    def of(self, group: str) -> Patches:
        """The patches with a group's kinds alone."""
        heights = self.heights_px[:, GROUPS[group]]
        return Patches(self.tokens, heights > 0, heights.amax(1))


@dataclass(frozen=True)
class Score:
    """Precision at k, for a patch with k digits, and mean average precision over digits."""

    precision: float
    average_precision: float


def load_encoder(
    source: str, features: str | None, scales: Sequence[int] | None, weights: Sequence[float] | None = None
) -> Teacher:
    """An encoder from a checkpoint of the trainer (.pt), a folder, or the hub. Several scales are fused by weight."""
    if source.endswith(".pt"):
        student, preprocessing = restore_student(read_checkpoint(Path(source)))
        tower = Tower(student.model, features or student.features)
    else:
        tower = Tower(load_model(source), features or "last_hidden_state")
        preprocessing = Preprocessing.read(source)
    return Teacher(tower, preprocessing, scales or (tower.image_size,), weights)


def draw_pages(
    counts: tuple[int, int], fonts: Path | None, heights_px: tuple[float, float] = HEIGHTS_PX, first: int = 0
) -> tuple[list[Page], list[Page]]:
    """Pages to fit the probe on, and other pages to test it on."""
    found = find_fonts(fonts)
    starts = (_FIRST_FIT_PAGE + first, _FIRST_TEST_PAGE + first)
    fit, test = (
        [draw_page(start + index, found, heights_px) for index in range(count)]
        for start, count in zip(starts, counts, strict=True)
    )
    return fit, test


def encode_pages(encoder: Teacher, pages: Sequence[Page], device: torch.device) -> EncodedPages:
    """The patches of all pages."""
    encoder.to(device)
    tokens, heights = [], []
    for page in tqdm(pages, unit="page", leave=False, disable=None):
        views = {scale: encoder.preprocessing.view(page.image, scale)[None].to(device) for scale in encoder.scales}
        tokens.append(encoder(views)[0].cpu())
        heights.append(torch.from_numpy(page.heights(encoder.side)) * encoder.tower.image_size)
    return EncodedPages(torch.cat(tokens), torch.cat(heights))


def fit_probe(patches: Patches, seed: int) -> torch.nn.Module:
    """Fits a linear layer on standardised tokens: all patches that show the group, and a quarter as many others."""
    random = torch.Generator().manual_seed(seed)
    shown = patches.shown.any(1)
    others = torch.nonzero(~shown).flatten()
    others = others[torch.randperm(len(others), generator=random)[: int(shown.sum()) // 4]]
    chosen = patches.where(torch.cat([torch.nonzero(shown).flatten(), others]))
    mean, deviation = chosen.tokens.mean(0), chosen.tokens.std(0).clamp_min(1e-6)
    tokens, targets = (chosen.tokens - mean) / deviation, chosen.shown.float()
    weight = torch.zeros(targets.shape[1], tokens.shape[1], requires_grad=True)
    bias = torch.zeros(targets.shape[1], requires_grad=True)
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
    layer = torch.nn.Linear(*weight.T.shape)
    with torch.no_grad():
        layer.weight.copy_(weight / deviation)
        layer.bias.copy_(bias - (weight / deviation) @ mean)
    return layer.requires_grad_(False)


def score(logits: torch.Tensor, shown: torch.Tensor) -> Score:
    """Scores the logits of patches that all show the group."""
    ranks = logits.argsort(1, descending=True).argsort(1)
    counts = shown.sum(1)
    right = (shown & (ranks < counts[:, None])).sum(1)
    kinds = torch.nonzero(shown.any(0)).flatten().tolist()
    averages = [_average_precision(logits[:, kind], shown[:, kind]) for kind in kinds]
    return Score((right / counts).mean().item(), float(np.mean(averages)))


def _average_precision(logits: torch.Tensor, is_shown: torch.Tensor) -> float:
    ranked = is_shown[logits.argsort(descending=True)].double()
    precision = ranked.cumsum(0) / torch.arange(1, len(ranked) + 1)
    return ((precision * ranked).sum() / ranked.sum()).item()


def chance(fit: Patches, shown: torch.Tensor) -> Score:
    """The score of one that knows how frequent each kind is, and does not look."""
    prior = fit.shown.double().mean(0)
    ranked = score(prior.expand(len(shown), -1), shown)
    # Ties have no order: the average precision of one that does not look is the share of patches with the kind.
    return Score(ranked.precision, shown.double().mean().item())


def by_band(patches: Patches) -> list[torch.Tensor]:
    """Masks of the patches that show the group: one for each band, then all."""
    shown, heights = patches.shown.any(1), patches.heights_px
    bands = [shown & (heights >= low) & (heights < high) for low, high in itertools.pairwise(BANDS_PX)]
    return [*bands, shown]
