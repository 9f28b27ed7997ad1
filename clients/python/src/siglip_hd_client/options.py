"""What a call may ask, and how each option is written on either transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypedDict

from .metadata import Dtype, Output, Recipe


class CallOptions(TypedDict, total=False):
    """What any call may ask. What is left out asks for nothing, or for its default.

    Attributes:
        timeout: Seconds that the call may take in all, retries and waits included; None for no limit.
        max_retries: How often the call is tried again after an error that may pass.
        priority: ``bulk`` takes what interactive requests leave.
        no_store: The service neither answers from its cache nor keeps the answer.
        request_id: What the service's log calls the request: 1 to 128 visible ASCII characters. Default: made.
    """

    timeout: float | None
    max_retries: int
    priority: Literal["interactive", "bulk"]
    no_store: bool
    request_id: str


class EncodeOptions(CallOptions, total=False):
    """What any encode may ask.

    Attributes:
        model: Name of the served model. Default: the service's first.
        output: ``features`` of the tower (default), or ``embeddings``, rows after the model's projector.
        dtype: Type of the tokens. Default: float16.
        exif: Whether the EXIF orientation turns the image. Default: apply.
        expect_digest: Fail with `FailedPreconditionError` unless this is the model's digest.
        expect_features: Fail with `FailedPreconditionError` unless the model gives this hidden state.
        expect_projector_digest: Fail with `FailedPreconditionError` unless this is the projector's digest.
    """

    model: str
    output: Output
    dtype: Dtype
    exif: Literal["apply", "ignore"]
    expect_digest: str
    expect_features: str
    expect_projector_digest: str


class TeacherOptions(EncodeOptions, total=False):
    """What a TeacherEncode may ask besides.

    Attributes:
        scales: Squares that the image is resized to, in pixels, such as ``(512, 1024)``.
        weights: Weight of each scale in the average.
        fusion: How the scales' maps become one.
        windows: How a scale is cut into views.
        channel_order: Order of unshuffle_concat's channels.
        grid: Columns and rows of the answer's tokens.
    """

    scales: Sequence[int]
    weights: Sequence[float]
    fusion: Literal["average", "concat", "unshuffle_concat"]
    windows: Literal["tiles", "half_overlap", "whole"]
    channel_order: Literal["torch", "internvl"]
    grid: tuple[int, int]


class AnyResOptions(EncodeOptions, total=False):
    """What an AnyResEncode may ask besides.

    Attributes:
        max_grid: Columns and rows of the largest grid of tiles.
        max_tiles: Tiles' worth of tokens that the map is limited to; 0 for no limit.
        assembly: ``merge``: base tokens, then the map; ``tiles``: every view's tokens, untouched.
        resample: Pillow's filter for the base view and the tiles.
    """

    max_grid: tuple[int, int]
    max_tiles: int
    assembly: Literal["merge", "tiles"]
    resample: Literal["bicubic", "bilinear"]


class AnyOptions(TeacherOptions, AnyResOptions, total=False):
    """What an encode may ask whose recipe is a parameter; the options must be that recipe's."""


@dataclass(frozen=True)
class WireOption:
    """How an option is written.

    Attributes:
        text: Its value in HTTP's query.
        message: The field of gRPC's request that has it: ``options``, ``teacher`` or ``anyres``.
    """

    text: Callable[[Any], str]
    message: Literal["options", "teacher", "anyres"]


def _sides(pair: Sequence[int]) -> str:
    columns, rows = pair
    return f"{columns}x{rows}"


def _list(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _decimals(numbers: Sequence[float]) -> str:
    # Without an exponent, which the service does not read.
    return ",".join(f"{Decimal(repr(float(number))):f}" for number in numbers)


_COMMON = {
    name: WireOption(str, "options")
    for name in (
        "model",
        "output",
        "dtype",
        "exif",
        "expect_digest",
        "expect_features",
        "expect_projector_digest",
    )
}

#: The options of each recipe by their names, which are the same in Python, HTTP and gRPC.
WIRE_OPTIONS: dict[Recipe, dict[str, WireOption]] = {
    "encode": _COMMON,
    "teacher": {
        **_COMMON,
        "scales": WireOption(_list, "teacher"),
        "weights": WireOption(_decimals, "teacher"),
        "fusion": WireOption(str, "teacher"),
        "windows": WireOption(str, "teacher"),
        "channel_order": WireOption(str, "teacher"),
        "grid": WireOption(_sides, "teacher"),
    },
    "anyres": {
        **_COMMON,
        "max_grid": WireOption(_sides, "anyres"),
        "max_tiles": WireOption(str, "anyres"),
        "assembly": WireOption(str, "anyres"),
        "resample": WireOption(str, "anyres"),
    },
}

_TERMS = CallOptions.__annotations__.keys()


@dataclass(frozen=True)
class Asked:
    """A call's options, taken apart.

    Attributes:
        wire: What the service is asked, by name.
        terms: How the call is to be made: the rest.
    """

    wire: Mapping[str, Any]
    terms: CallOptions


def take_apart(recipe: Recipe | None, defaults: CallOptions, given: CallOptions) -> Asked:
    """A call's own options over a client's defaults. Raises TypeError for an option that the recipe does not have."""
    known = {} if recipe is None else WIRE_OPTIONS[recipe]
    for name in given:
        if name not in known and name not in _TERMS:
            names = ", ".join([*known, *_TERMS])
            raise TypeError(f"{name!r} is not an option of {recipe or 'this call'}; the options are {names}.")
    # A client's defaults may be of another recipe.
    options = {
        **{name: value for name, value in defaults.items() if name in known or name in _TERMS},
        **given,
    }
    return Asked(
        wire={name: value for name, value in options.items() if name in known and value is not None},
        terms=CallOptions(**{name: options[name] for name in _TERMS if name in options}),  # type: ignore[typeddict-item]
    )
