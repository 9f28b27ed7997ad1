"""The kinds of things on a synthetic page."""

from __future__ import annotations

DIGITS = tuple("0123456789")
MARKS = (
    "disc",
    "ring",
    "square",
    "frame",
    "triangle",
    "diamond",
    "plus",
    "cross",
    "dash",
    "bar",
    "slash",
    "backslash",
)
PATTERNS = ("lines", "columns", "rising", "falling", "grid", "lattice", "dots", "checks")
KINDS = (*DIGITS, *MARKS, *PATTERNS, "letter", "rule", "picture")
KIND = {name: index for index, name in enumerate(KINDS)}
#: What the probe reads, and the kinds that it tells apart.
GROUPS = {
    group: [KIND[name] for name in names]
    for group, names in (("digits", DIGITS), ("marks", MARKS), ("patterns", PATTERNS))
}
