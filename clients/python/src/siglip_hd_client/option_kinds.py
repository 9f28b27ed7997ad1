"""The kinds of values that options have."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        expected: Describes it, for errors.
        convert: Converts a caller's value. Raises TypeError or ValueError if it is of another kind.
        text: Formats the converted value for the HTTP query.
    """

    expected: str
    convert: Callable[[Any], Any]
    text: Callable[[Any], str]

    def read(self, name: str, value: Any) -> Any:
        """Converts an option's value. Raises ValueError if it is of another kind."""
        try:
            return self.convert(value)
        except (TypeError, ValueError):
            raise ValueError(f"{name} is {value!r}; it must be {self.expected}.") from None


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _sides(value: Any) -> tuple[int, int]:
    # HTTP's form, too.
    numbers = [int(side) for side in value.split("x")] if isinstance(value, str) else _whole_numbers(value)
    columns, rows = numbers
    return columns, rows


def _whole_numbers(value: Any) -> tuple[int, ...]:
    return tuple(operator.index(number) for number in value)


def _numbers(value: Any) -> tuple[float, ...]:
    if isinstance(value, str | bytes):
        raise TypeError
    return tuple(float(number) for number in value)


def _decimals(numbers: tuple[float, ...]) -> str:
    # The service does not accept exponents.
    return ",".join(f"{Decimal(repr(number)):f}" for number in numbers)


def _names(value: Any) -> tuple[str, ...]:
    # HTTP's form, too.
    return tuple(value.split(",")) if isinstance(value, str) else tuple(_string(name) for name in value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


FLAG = Kind("True or False", _flag, lambda flag: str(flag).lower())
NAMES = Kind('a name, or a sequence of names, such as ("penultimate", "-3")', _names, ",".join)
STRING = Kind("a string", _string, str)
WHOLE_NUMBER = Kind("a whole number", operator.index, str)
WHOLE_NUMBERS = Kind(
    "a sequence of whole numbers, such as (512, 1024)", _whole_numbers, lambda numbers: ",".join(map(str, numbers))
)
NUMBERS = Kind("a sequence of numbers, such as (1, 3)", _numbers, _decimals)
SIDES = Kind('columns and rows, such as (2, 2) or "2x2"', _sides, lambda sides: f"{sides[0]}x{sides[1]}")
