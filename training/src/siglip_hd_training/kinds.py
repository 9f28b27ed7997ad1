"""The kinds of things on a synthetic page."""

from __future__ import annotations

DIGITS = tuple("0123456789")
MARKS = (
    "disc",
    "ring",
    "square",
    "frame",
    "triangle",
    "wedge",
    "diamond",
    "star",
    "plus",
    "cross",
    "dash",
    "bar",
    "slash",
    "backslash",
)
KINDS = (*DIGITS, *MARKS, "letter", "rule", "picture")
KIND = {name: index for index, name in enumerate(KINDS)}
#: What the probe reads, and the kinds that it tells apart.
GROUPS = {"digits": [KIND[name] for name in DIGITS], "marks": [KIND[name] for name in MARKS]}
