"""The options of calls, and how each transport writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from .metadata import Dtype, Output, Recipe
from .option_kinds import FLAG, NAMES, NUMBERS, SIDES, STRING, WHOLE_NUMBER, WHOLE_NUMBERS, Kind


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
        output: ``features`` of the tower (default); ``embeddings``, the rows after the model's projector; or, of
            `Client.encode`, ``pooled``: one vector of the whole image.
        features: Hidden states whose tokens are joined by channels, such as ``"penultimate"`` or
            ``("penultimate", "-3")``. The model must have been imported with them. Default: the model's first.
        class_token: Of `Client.encode`: whether CLIP's class token precedes the patches' tokens, as one more row.
        dtype: Type of the tokens. Default: float16.
        exif: Whether to apply the EXIF orientation. Default: apply.
        expect_digest: Fail with `FailedPreconditionError` unless the model has this digest.
        expect_features: Fail with `FailedPreconditionError` unless the tokens are of this hidden state, such as
            ``"penultimate"``. Over gRPC it is one of ``last_hidden_state``, ``pre_norm`` and ``penultimate``; for
            others use ``features``.
        expect_projector_digest: Fail with `FailedPreconditionError` unless the projector has this digest.
    """

    model: str
    output: Output
    features: str | Sequence[str]
    class_token: bool
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
        grid: Columns and rows of the resulting tokens: ``(16, 16)`` or ``"16x16"``.
    """

    scales: Sequence[int]
    weights: Sequence[float]
    fusion: Literal["average", "concat", "unshuffle_concat"]
    windows: Literal["tiles", "half_overlap", "whole"]
    channel_order: Literal["torch", "internvl"]
    grid: tuple[int, int] | str


class AnyResOptions(EncodeOptions, total=False):
    """Options of `Client.anyres_encode`.

    Without any of them, a model that was imported from a VLM checkpoint uses the checkpoint's own AnyRes definition.

    Attributes:
        max_grid: Columns and rows of the largest tile grid: ``(3, 3)`` or ``"3x3"``.
        max_tiles: Limits the map to this many tiles' worth of tokens; 0 for no limit.
        assembly: ``merge`` gives the base tokens, then the map; ``tiles`` gives the unchanged tokens of every view.
        resample: Pillow's filter for the base view and the tiles.
    """

    max_grid: tuple[int, int] | str
    max_tiles: int
    assembly: Literal["merge", "tiles"]
    resample: Literal["bilinear", "bicubic", "lanczos"]


class AnyOptions(TeacherOptions, AnyResOptions, total=False):
    """Options of calls that take the recipe as an argument; the recipe must have them."""


@dataclass(frozen=True)
class WireOption:
    """An option that the service receives.

    Attributes:
        kind: The kind of its values.
        message: The field of the gRPC request that contains it: ``options``, ``encode``, ``teacher`` or ``anyres``.
    """

    kind: Kind
    message: Literal["options", "encode", "teacher", "anyres"]


_COMMON = {
    **{
        name: WireOption(STRING, "options")
        for name in (
            "model",
            "output",
            "dtype",
            "exif",
            "expect_digest",
            "expect_features",
            "expect_projector_digest",
        )
    },
    "features": WireOption(NAMES, "options"),
}

#: The options of each recipe. Their names are the same in Python, HTTP and gRPC.
WIRE_OPTIONS: dict[Recipe, dict[str, WireOption]] = {
    "encode": {**_COMMON, "class_token": WireOption(FLAG, "encode")},
    "teacher": {
        **_COMMON,
        "scales": WireOption(WHOLE_NUMBERS, "teacher"),
        "weights": WireOption(NUMBERS, "teacher"),
        "fusion": WireOption(STRING, "teacher"),
        "windows": WireOption(STRING, "teacher"),
        "channel_order": WireOption(STRING, "teacher"),
        "grid": WireOption(SIDES, "teacher"),
    },
    "anyres": {
        **_COMMON,
        "max_grid": WireOption(SIDES, "anyres"),
        "max_tiles": WireOption(WHOLE_NUMBER, "anyres"),
        "assembly": WireOption(STRING, "anyres"),
        "resample": WireOption(STRING, "anyres"),
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
    """Merges a call's options into the client's defaults.

    Raises:
        TypeError: The recipe lacks an option.
        ValueError: There is no such recipe, or an option has a value of another kind.
    """
    if recipe is not None and recipe not in WIRE_OPTIONS:
        raise ValueError(f"recipe is {recipe!r}; use one of {', '.join(WIRE_OPTIONS)}.")
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
    terms = CallOptions(**{name: options[name] for name in _TERMS if name in options})  # type: ignore[typeddict-item]
    _check_limits(terms)
    return Asked(
        wire={
            name: known[name].kind.read(name, value)
            for name, value in options.items()
            if name in known and value is not None
        },
        terms=terms,
    )


def _check_limits(terms: CallOptions) -> None:
    timeout: object = terms.get("timeout")
    if timeout is not None and not (isinstance(timeout, int | float) and 0 <= timeout < math.inf):
        raise ValueError(f"timeout is {timeout!r}; it must be a number of seconds, or None for no limit.")
    request_id: object = terms.get("request_id") or None
    if request_id is not None and not (isinstance(request_id, str) and re.fullmatch("[!-~]{1,128}", request_id)):
        raise ValueError(f"request_id is {request_id!r}; it must be 1 to 128 visible ASCII characters.")
    retries: object = terms.get("max_retries", 0)
    if not (isinstance(retries, int) and retries >= 0):
        raise ValueError(f"max_retries is {retries!r}; it must be a whole number, 0 or more.")
