"""Writes synthetic pages as image files, for a student to be trained on."""

from __future__ import annotations

import argparse
from pathlib import Path

from tqdm import tqdm

from .errors import TrainingError
from .pages import HEIGHTS_PX, draw_page, find_fonts
from .ranges import number_range


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `draw-pages`."""
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a folder that does not exist yet")
    parser.add_argument("--pages", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first-page", type=int, default=0, help="seed of the first page (default 0)")
    parser.add_argument("--fonts", type=Path, metavar="FOLDER", help="fonts of the pages; Pillow's own by default")
    low, high = HEIGHTS_PX
    parser.add_argument(
        "--heights",
        type=number_range,
        default=HEIGHTS_PX,
        metavar="LOW,HIGH",
        help=f"height of digits and marks in px of a view of 512 (default {low:g},{high:g})",
    )


def run(given: argparse.Namespace) -> None:
    """Writes the pages."""
    if given.out.exists():
        raise TrainingError(f"{given.out} exists. Remove it, or choose another folder.")
    fonts = find_fonts(given.fonts)
    given.out.mkdir(parents=True)
    for seed in tqdm(range(given.first_page, given.first_page + given.pages), unit="page", disable=None):
        draw_page(seed, fonts, given.heights).image.save(given.out / f"{seed:08}.png", compress_level=1)
