"""Prints the probe's scores of several encoders."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import torch

from .errors import TrainingError
from .probe import BANDS_PX, Patches, Score, by_band, chance, draw_pages, encode_pages, fit_probe, load_encoder, score


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the probe's arguments."""
    parser.add_argument(
        "encoders", nargs="+", metavar="ENCODER", help="a checkpoint (.pt), a folder, or a hub repository"
    )
    parser.add_argument(
        "--scales", action="append", metavar="PX[,PX...]", help="scales to fuse; repeatable; the image size by default"
    )
    parser.add_argument("--features", action="append", metavar="NAME", help="hidden state; repeatable")
    parser.add_argument(
        "--pages", default="120,80", metavar="FIT,TEST", help="pages to fit and to test on (default 120,80)"
    )
    parser.add_argument("--seeds", type=int, default=3, help="probes to fit for each encoder (default 3)")
    parser.add_argument("--fonts", type=Path, metavar="FOLDER", help="fonts of the pages; Pillow's own by default")


def run(given: argparse.Namespace) -> None:
    """Probes each encoder at all scales and hidden states that were asked for."""
    counts = _numbers("pages", given.pages)
    if len(counts) != 2 or given.seeds < 1:
        raise TrainingError("--pages takes two numbers, such as 120,80, and --seeds 1 or more.")
    fit_pages, test_pages = draw_pages((counts[0], counts[1]), given.fonts)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    all_scales: list[tuple[int, ...] | None] = [*(_numbers("scales", text) for text in given.scales or ())] or [None]
    print("Precision at k / mean average precision over digits, by font size in px of the view. Mean over probe seeds.")
    print(_row("", [*(f"{low:g}-{high:g}" for low, high in itertools.pairwise(BANDS_PX)), "all", "spread"]))
    shown_grid = None
    for source, scales, features in itertools.product(given.encoders, all_scales, given.features or [None]):
        encoder = load_encoder(source, features, scales)
        fit, test = (encode_pages(encoder, pages, device) for pages in (fit_pages, test_pages))
        masks = by_band(test)
        grid = (encoder.side, encoder.tower.image_size)
        if grid != shown_grid:
            # How many digits a patch has depends on the grid, and so does chance.
            print(_row("chance", [_cell([chance(fit, test.digits[mask])]) if mask.any() else "-" for mask in masks]))
            shown_grid = grid
        name = f"{source} {','.join(map(str, encoder.scales))} {encoder.tower.features}"
        print(_row(name, _cells(fit, test, masks, given.seeds)), flush=True)


def _cells(fit: Patches, test: Patches, masks: list[torch.Tensor], seeds: int) -> list[str]:
    logits = [fit_probe(fit, seed)(test.tokens) for seed in range(seeds)]
    scores = [[score(one[mask], test.digits[mask]) for one in logits] if mask.any() else [] for mask in masks]
    overall = [one.precision for one in scores[-1]]
    return [*(_cell(band) if band else "-" for band in scores), f"{max(overall) - min(overall):.4f}"]


def _cell(scores: list[Score]) -> str:
    precision = sum(one.precision for one in scores) / len(scores)
    average = sum(one.average_precision for one in scores) / len(scores)
    return f"{precision:.3f}/{average:.3f}"


def _row(name: str, cells: list[str]) -> str:
    return f"{name:<48} " + " ".join(f"{cell:>11}" for cell in cells)


def _numbers(name: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise TrainingError(f"--{name} is {text!r}; give whole numbers, separated by commas.") from None
