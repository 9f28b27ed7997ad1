"""Prints the probe's scores of several encoders."""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import torch

from .errors import TrainingError
from .kinds import GROUPS
from .pages import HEIGHTS_PX
from .probe import BANDS_PX, Patches, Score, by_band, chance, draw_pages, encode_pages, fit_probe, load_encoder, score
from .ranges import number_range


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
    low, high = HEIGHTS_PX
    parser.add_argument(
        "--heights",
        type=number_range,
        default=HEIGHTS_PX,
        metavar="LOW,HIGH",
        help=f"height of digits and marks in px of a view of 512 (default {low:g},{high:g})",
    )
    parser.add_argument("--first-page", type=int, default=0, help="number of the first page (default 0)")


def run(given: argparse.Namespace) -> None:
    """Probes each encoder at all scales and hidden states that were asked for."""
    counts = _numbers("pages", given.pages)
    if len(counts) != 2 or given.seeds < 1:
        raise TrainingError("--pages takes two numbers, such as 120,80, and --seeds 1 or more.")
    fit_pages, test_pages = draw_pages((counts[0], counts[1]), given.fonts, given.heights, given.first_page)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    all_scales: list[tuple[int, ...] | None] = [*(_numbers("scales", text) for text in given.scales or ())] or [None]
    print("Precision at k / mean average precision, by height in px of the view. Mean over probe seeds.")
    print(_row("", [*(f"{low:g}-{high:g}" for low, high in itertools.pairwise(BANDS_PX)), "all", "spread"]))
    shown_grid = None
    for source, scales, features in itertools.product(given.encoders, all_scales, given.features or [None]):
        encoder = load_encoder(source, features, scales)
        fit, test = (encode_pages(encoder, pages, device) for pages in (fit_pages, test_pages))
        grid = (encoder.side, encoder.tower.image_size)
        if grid != shown_grid:
            # How many glyphs a patch has depends on the grid, and so does chance.
            for group in GROUPS:
                print(_row(f"chance {group}", _chance_cells(fit.of(group), test.of(group))))
            shown_grid = grid
        name = f"{source} {','.join(map(str, encoder.scales))} {encoder.tower.features}"
        for group in GROUPS:
            print(_row(f"{name} {group}", _cells(fit.of(group), test.of(group), given.seeds)), flush=True)


def _chance_cells(fit: Patches, test: Patches) -> list[str]:
    return [_cell([chance(fit, test.shown[mask])]) if mask.any() else "-" for mask in by_band(test)]


def _cells(fit: Patches, test: Patches, seeds: int) -> list[str]:
    masks = by_band(test)
    logits = [fit_probe(fit, seed)(test.tokens) for seed in range(seeds)]
    scores = [[score(one[mask], test.shown[mask]) for one in logits] if mask.any() else [] for mask in masks]
    overall = [one.precision for one in scores[-1]]
    spread = f"{max(overall) - min(overall):.4f}" if overall else "-"
    return [*(_cell(band) if band else "-" for band in scores), spread]


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
