"""Trains a small base on synthetic pages, supervised: it learns which kinds of things each patch shows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm
from transformers import SiglipVisionModel

from .errors import TrainingError
from .export import save_model
from .kinds import GROUPS, KINDS
from .optimizer import build_optimizer, learning_rate
from .pages import SIDES_PX, VIEW_PX, draw_page, find_fonts
from .preprocessing import Preprocessing
from .probe import score
from .ranges import number_range
from .start import PATCH_PX, start_model
from .windows import cut

#: Base pages have seeds from here on; no student or probe reaches them.
_FIRST_PAGE = 1_000_000_000
#: Pages of one seed of the base.
_PAGES = 10_000_000
#: A base page is as fine for its view as a page of the student for the teacher's view of 1024.
_SIDES_PX = (SIDES_PX[0] // 2, SIDES_PX[1] // 2)
#: Squashed to [-1, 1] by the bilinear filter, as SigLIP.
PREPROCESSING = Preprocessing(mean=(0.5,) * 3, std=(0.5,) * 3, rescale=1 / 255, resample=2)
_BETAS = (0.9, 0.98)
_CLIP_NORM = 1.0
#: Share of the steps in which windows of half a view's side, which are cheaper, stand for views.
_WINDOWS = 0.85
#: Steps of which a line of the metrics has the mean.
_LOG_EVERY = 50


@dataclass(frozen=True)
class BaseSettings:
    """Settings of a base's training."""

    steps: int
    seed: int
    fonts: Path | None
    channels: int
    layers: int
    heads: int
    mlp: int
    pages: int
    learning_rate: float
    large_px: tuple[float, float]
    small_px: tuple[float, float]
    small_share: float
    weight_decay: float = 0.05

    @property
    def warm_up_steps(self) -> int:
        """Steps of linear warm-up."""
        return self.steps // 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `nano-base`."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that does not exist yet")
    parser.add_argument("--steps", type=int, default=600, help="optimizer steps (default 600)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and pages (default 0)")
    parser.add_argument("--fonts", type=Path, metavar="FOLDER", help="fonts of the pages; Pillow's own by default")
    parser.add_argument("--channels", type=int, default=128, help="width of the tower (default 128)")
    parser.add_argument("--layers", type=int, default=3, help="layers of the tower (default 3)")
    parser.add_argument("--heads", type=int, default=4, help="heads of attention (default 4)")
    parser.add_argument("--mlp", type=int, default=384, help="width of the MLP (default 384)")
    parser.add_argument("--pages", type=int, default=1, help="pages in a step (default 1)")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="highest learning rate (default 0.003)")
    for name, default, text in (("large", (12.0, 28.0), "most pages"), ("small", (7.0, 12.0), "the other pages")):
        shown = f"height of digits and marks on {text}, in px (default {default[0]:g},{default[1]:g})"
        parser.add_argument(f"--{name}-px", type=number_range, default=default, metavar="LOW,HIGH", help=shown)
    parser.add_argument("--small-share", type=float, default=0.1, help="share of pages with small glyphs (default 0.1)")


def run(given: argparse.Namespace) -> None:
    """Trains a base, and writes it as a Hugging Face folder in float16."""
    if given.out.exists():
        raise TrainingError(f"{given.out} exists. Remove it, or choose another folder.")
    values = {name: value for name, value in vars(given).items() if name in BaseSettings.__dataclass_fields__}
    settings = BaseSettings(**values)
    model = start_model(VIEW_PX, settings.channels, settings.layers, settings.heads, settings.mlp, seed=settings.seed)
    metrics = given.out.with_name(f"{given.out.name}.jsonl")
    metrics.parent.mkdir(parents=True, exist_ok=True)
    with metrics.open("w", buffering=1) as log:
        train_base(model, settings, log.write)
    save_model(model, PREPROCESSING, given.out, torch.float16)
    print(f"The base is in {given.out}, its metrics in {metrics}.")


def train_base(model: SiglipVisionModel, settings: BaseSettings, write: Callable[[str], object]) -> None:
    """Trains a model in place; writes its metrics as lines of JSON."""
    fonts = find_fonts(settings.fonts)
    head = torch.nn.Linear(settings.channels, len(KINDS))
    # Most patches do not show most kinds.
    torch.nn.init.constant_(head.bias, -3.0)
    trained = torch.nn.ModuleList([model, head]).train()
    optimizer = build_optimizer(trained, settings, _BETAS)
    places = np.random.default_rng(settings.seed)
    figures: list[dict[str, float]] = []
    for step in tqdm(range(settings.steps), unit="step", disable=None):
        views, shown = _draw(settings, fonts, step)
        row = column = 0
        if step < _WINDOWS * settings.steps:
            views, shown, (row, column) = cut_windows(views, shown, places)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        logits = head(encode_at(model, PREPROCESSING.normalise(views), row, column))
        loss = functional.binary_cross_entropy_with_logits(logits, shown.float(), reduction="none").sum(-1).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained.parameters(), _CLIP_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        figures.append({"loss": loss.item(), **_precision(logits.detach(), shown)})
        if len(figures) == _LOG_EVERY or step == settings.steps - 1:
            write(json.dumps({"step": step + 1, **_means(figures)}) + "\n")
            figures.clear()
    model.eval()


def _draw(settings: BaseSettings, fonts: Sequence[Path | None], step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The pages of a step: uint8 views [pages, 3, side, side], and bool [pages, patches, kinds]."""
    views, shown = [], []
    for index in range(step * settings.pages, (step + 1) * settings.pages):
        seed = _FIRST_PAGE + settings.seed * _PAGES + index
        is_small = np.random.default_rng((seed, 1)).random() < settings.small_share
        page = draw_page(seed, fonts, settings.small_px if is_small else settings.large_px, _SIDES_PX)
        views.append(PREPROCESSING.view(page.image, VIEW_PX))
        shown.append(torch.from_numpy(page.heights(VIEW_PX // PATCH_PX) > 0))
    return torch.stack(views), torch.stack(shown)


def cut_windows(
    views: torch.Tensor, shown: torch.Tensor, places: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    """Cuts views and labels into four windows, and chooses the windows' place in the position table."""
    half = VIEW_PX // 2
    side = half // PATCH_PX
    maps = shown.transpose(1, 2).reshape(len(shown), -1, 2 * side, 2 * side)
    windows = (
        maps.reshape(len(shown), -1, 2, side, 2, side).permute(0, 2, 4, 3, 5, 1).reshape(-1, side * side, len(KINDS))
    )
    row, column = places.integers(0, side + 1, 2).tolist()
    return cut(views, half), windows, (row, column)


def encode_at(model: SiglipVisionModel, pixels: torch.Tensor, row: int, column: int) -> torch.Tensor:
    """Encodes views or smaller windows as if they lay at a row and column of the view's patches."""
    patches = model.embeddings.patch_embedding(pixels)
    side = patches.shape[-1]
    whole = model.config.image_size // model.config.patch_size
    table = model.embeddings.position_embedding.weight.reshape(whole, whole, -1)
    positions = table[row : row + side, column : column + side].flatten(0, 1)
    states = model.encoder(inputs_embeds=patches.flatten(2).transpose(1, 2) + positions).last_hidden_state
    return model.post_layernorm(states)


def _precision(logits: torch.Tensor, shown: torch.Tensor) -> dict[str, float]:
    """Precision at k of each group, over this step's patches that show it."""
    found = {}
    for name, kinds in GROUPS.items():
        of_group, scores = shown[..., kinds].flatten(0, 1), logits[..., kinds].flatten(0, 1)
        mask = of_group.any(1)
        if mask.any():
            found[name] = score(scores[mask], of_group[mask]).precision
    return found


def _means(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure over the steps that have it: not every page shows each group."""
    names = sorted({name for step in figures for name in step})
    return {name: float(np.mean([step[name] for step in figures if name in step])) for name in names}
