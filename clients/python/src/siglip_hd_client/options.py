"""The options of calls, and how each transport writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypedDict

from .metadata import Dtype, Output, Recipe


class CallOptions(TypedDict, total=False):
    """Options of every call.

    Attributes:
        timeout: Seconds for the whole call, including retries and waits; None for no limit.
        max_retries: How often to retry after a transient error.
        priority: ``bulk`` uses the capacity that interactive requests leave.
        no_store: Bypass the service's cache, both for reading and for writing.
        request_id: The request's id in the service's log: 1 to 128 visible ASCII characters. Default: a random UUID.
    """

    timeout: float | None
    max_retries: int
    priority: Literal["interactive", "bulk"]
    no_store: bool
    request_id: str


class EncodeOptions(CallOptions, total=False):
    """Options of every encode.

    Attributes:
        model: Name of the served model. Default: the service's first.
        output: ``features`` of the tower (default), or ``embeddings``, the rows after the model's projector.
        dtype: Type of the tokens. Default: float16.
        exif: Whether to apply the EXIF orientation. Default: apply.
        expect_digest: Fail with `FailedPreconditionError` unless the model has this digest.
        expect_features: Fail with `FailedPreconditionError` unless the model serves this hidden state.
        expect_projector_digest: Fail with `FailedPreconditionError` unless the projector has this digest.
    """

    model: str
    output: Output
    dtype: Dtype
    exif: Literal["apply", "ignore"]
    expect_digest: str
    expect_features: str
    expect_projector_digest: str


class TeacherOptions(EncodeOptions, total=False):
    """Options of `Client.teacher_encode`.

    Attributes:
        scales: Sides of the squares that the image is resized to, in pixels, such as ``(512, 1024)``.
        weights: Weight of each scale in the average.
        fusion: How to fuse the scales' maps.
        windows: How to cut each scale into views.
        channel_order: Channel order of unshuffle_concat.
        grid: Columns and rows of the resulting tokens.
    """

    scales: Sequence[int]
    weights: Sequence[float]
    fusion: Literal["average", "concat", "unshuffle_concat"]
    windows: Literal["tiles", "half_overlap", "whole"]
    channel_order: Literal["torch", "internvl"]
    grid: tuple[int, int]


class AnyResOptions(EncodeOptions, total=False):
    """Options of `Client.anyres_encode`.

    Without any of them, a model that was imported from a VLM checkpoint uses the checkpoint's own AnyRes definition.

    Attributes:
        max_grid: Columns and rows of the largest tile grid.
        max_tiles: Limits the map to this many tiles' worth of tokens; 0 for no limit.
        assembly: ``merge`` gives the base tokens, then the map; ``tiles`` gives the unchanged tokens of every view.
        resample: Pillow's filter for the base view and the tiles.
    """

    max_grid: tuple[int, int]
    max_tiles: int
    assembly: Literal["merge", "tiles"]
    resample: Literal["bilinear", "bicubic", "lanczos"]


class AnyOptions(TeacherOptions, AnyResOptions, total=False):
    """Options of calls that take the recipe as an argument; the recipe must have them."""


@dataclass(frozen=True)
class WireOption:
    """How the transports write an option.

    Attributes:
        text: Formats its value for the HTTP query.
        message: The field of the gRPC request that contains it: ``options``, ``teacher`` or ``anyres``.
    """

    text: Callable[[Any], str]
    message: Literal["options", "teacher", "anyres"]


def _sides(pair: Sequence[int]) -> str:
    columns, rows = pair
    return f"{columns}x{rows}"


def _list(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)


def _decimals(numbers: Sequence[float]) -> str:
    # The service does not accept exponents.
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

#: The options of each recipe. Their names are the same in Python, HTTP and gRPC.
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
    """A call's options.

    Attributes:
        wire: The options that the service receives, by name.
        terms: The other options: how to make the call.
    """

    wire: Mapping[str, Any]
    terms: CallOptions


def take_apart(recipe: Recipe | None, defaults: CallOptions, given: CallOptions) -> Asked:
    """Merges a call's options into the client's defaults. Raises TypeError if the recipe lacks an option."""
    known = {} if recipe is None else WIRE_OPTIONS[recipe]
    for name in given:
        if name not in known and name not in _TERMS:
            names = ", ".join([*known, *_TERMS])
            raise TypeError(f"{name!r} is not an option of {recipe or 'this call'}; use one of {names}.")
    # Ignore defaults that are options of other recipes.
    options = {
        **{name: value for name, value in defaults.items() if name in known or name in _TERMS},
        **given,
    }
    return Asked(
        wire={name: value for name, value in options.items() if name in known and value is not None},
        terms=CallOptions(**{name: options[name] for name in _TERMS if name in options}),  # type: ignore[typeddict-item]
    )
