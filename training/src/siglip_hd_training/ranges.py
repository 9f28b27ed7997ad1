"""A range of numbers on the command line."""

from __future__ import annotations

import argparse


def number_range(text: str) -> tuple[float, float]:
    """Reads LOW,HIGH."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no range; give two numbers, such as 6,14") from None
    if not 0 < low <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is no range; give two positive numbers, the lower first")
    return low, high
