"""Typed metadata of answers.

Both transports give the same fields: HTTP's JSON, and gRPC's messages converted to it. The client ignores unknown
fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: A JSON object from either transport.
Fields = Mapping[str, Any]

#: Data type of the tokens.
Dtype = Literal["float16", "float32", "bfloat16"]
#: How the service cuts an image into views and combines their tokens.
Recipe = Literal["encode", "teacher", "anyres"]
#: The tower's features; the rows after the projector, which have the language model's hidden size; or one vector.
Output = Literal["features", "embeddings", "pooled"]
#: Whether the tokens came from the cache, from another request's work in progress, or from the engine.
Source = Literal["hit", "joined", "miss"]


@dataclass(frozen=True)
class Size:
    """A width and a height, in pixels or in tokens."""

    width: int
    height: int

    @classmethod
    def from_fields(cls, fields: Fields) -> Size:
        """From the service's JSON."""
        return cls(int(fields["width"]), int(fields["height"]))


@dataclass(frozen=True)
class TileGrid:
    """Columns and rows of tiles."""

    columns: int
    rows: int


@dataclass(frozen=True)
class TokenRect:
    """A rectangle of a map, in tokens."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class AnyResGeometry:
    """The layout of AnyRes tokens: the base view's tokens, then the map's, row by row.

    Attributes:
        tile_grid: The tiles that the image was cut into.
        base_tokens: The number of tokens of the base view, which shows the whole image.
        unpad: The part of the tiles' map without padding; 0 wide or high for extreme aspect ratios.
        spatial: Size of that part after the token limit.
        resized: Whether the token limit made ``spatial`` smaller than ``unpad``.
        newlines: The number of newline rows among the tokens, one after each line of ``spatial``; 0 if there are none.
    """

    tile_grid: TileGrid
    base_tokens: int
    unpad: TokenRect
    spatial: Size
    resized: bool
    newlines: int = 0

    @classmethod
    def from_fields(cls, fields: Fields) -> AnyResGeometry:
        """From the service's JSON."""
        tiles, unpad = fields["tile_grid"], fields["unpad"]
        return cls(
            tile_grid=TileGrid(int(tiles["columns"]), int(tiles["rows"])),
            base_tokens=int(fields["base_tokens"]),
            unpad=TokenRect(int(unpad["x"]), int(unpad["y"]), int(unpad["width"]), int(unpad["height"])),
            spatial=Size.from_fields(fields["spatial"]),
            resized=bool(fields["resized"]),
            newlines=int(fields.get("newlines") or 0),
        )


@dataclass(frozen=True)
class ScaleModel:
    """The model that encoded one scale."""

    name: str
    digest: str


@dataclass(frozen=True)
class TeacherMakeup:
    """How a TeacherEncode made its tokens.

    Attributes:
        scales: Sides of the squares that the image was resized to, in pixels.
        weights: Weight of each scale in the average, summing to 1; empty for a concatenation.
        fusion: ``average``, ``concat`` or ``unshuffle_concat``.
        windows: ``tiles``, ``half_overlap`` or ``whole``.
        models: The model that encoded each scale.
    """

    scales: tuple[int, ...]
    weights: tuple[float, ...]
    fusion: str
    windows: str
    models: tuple[ScaleModel, ...]

    @classmethod
    def from_fields(cls, fields: Fields) -> TeacherMakeup:
        """From the service's JSON."""
        return cls(
            scales=tuple(int(scale) for scale in fields["scales"]),
            weights=tuple(float(weight) for weight in fields.get("weights") or ()),
            fusion=str(fields["fusion"]),
            windows=str(fields["windows"]),
            models=tuple(ScaleModel(str(m["name"]), str(m["digest"])) for m in fields["models"]),
        )


@dataclass(frozen=True)
class ServedModel:
    """The model that made the tokens.

    Attributes:
        name: The name that requests select it by.
        digest: ``sha256:`` and 64 hexadecimal digits, over everything that affects its tokens.
        trained: False for a model with random weights.
    """

    name: str
    digest: str
    trained: bool


@dataclass(frozen=True)
class ServedProjector:
    """The projector that made the embeddings.

    Attributes:
        family: Its kind, such as ``llava`` or ``gemma3``.
        digest: ``sha256:`` and 64 hexadecimal digits, over everything that affects embeddings.
    """

    family: str
    digest: str

    @classmethod
    def from_fields(cls, fields: Fields) -> ServedProjector:
        """From the service's JSON."""
        return cls(str(fields["family"]), str(fields["digest"]))


@dataclass(frozen=True)
class Metadata:
    """Describes tokens.

    Attributes:
        model: The model that made them.
        recipe: ``encode``, ``teacher`` or ``anyres``.
        output: ``features`` of the tower, ``embeddings`` after the projector, or the ``pooled`` vector.
        projector: The projector that made the embeddings; None for features.
        features: The tower's hidden states that they are, separated by commas, or the one that they were made of.
        precision: The model's precision: ``fp32``, ``fp16``, ``int8``, or ``exported``.
        dtype: Data type of the values.
        shape: ``(tokens, channels)``; ``(views, tokens, channels)`` with ``assembly="tiles"``; ``(channels,)`` of a
            pooled vector; a stack of images adds their number in front.
        grid: Tokens across and down, without a class token; for AnyRes, of the base view.
        views: The number of views that the model encoded for each image.
        images: Upright size of each image in pixels.
        teacher: How a TeacherEncode made them; None for other recipes.
        anyres: The layout of AnyRes tokens; None for other recipes.
        class_token: Whether the class token precedes the patches' tokens.
    """

    model: ServedModel
    recipe: Recipe
    output: Output
    features: str
    precision: str
    dtype: Dtype
    shape: tuple[int, ...]
    grid: Size
    views: int
    images: tuple[Size, ...]
    teacher: TeacherMakeup | None = None
    anyres: AnyResGeometry | None = None
    projector: ServedProjector | None = None
    class_token: bool = False

    @classmethod
    def from_fields(cls, fields: Fields) -> Metadata:
        """From the service's JSON. Raises KeyError, TypeError or ValueError if it is not valid."""
        model, teacher, anyres = fields["model"], fields.get("teacher"), fields.get("anyres")
        projector = fields.get("projector")
        return cls(
            model=ServedModel(str(model["name"]), str(model["digest"]), bool(model["trained"])),
            recipe=fields["recipe"],
            output=fields.get("output") or "features",
            # gRPC's enum lacks names for most hidden states.
            features=",".join(fields.get("feature_layers") or (str(fields["features"]),)),
            precision=str(fields["precision"]),
            dtype=fields["dtype"],
            shape=tuple(int(side) for side in fields["shape"]),
            grid=Size.from_fields(fields["grid"]),
            views=int(fields["views"]),
            images=tuple(Size.from_fields(image) for image in fields.get("images") or ()),
            teacher=None if teacher is None else TeacherMakeup.from_fields(teacher),
            anyres=None if anyres is None else AnyResGeometry.from_fields(anyres),
            projector=None if projector is None else ServedProjector.from_fields(projector),
            class_token=bool(fields.get("class_token")),
        )


@dataclass(frozen=True)
class Timings:
    """Wall time of each stage in the service, in milliseconds; 0 for cached tokens.

    Attributes:
        decode_ms: Decoding the image.
        views_ms: Making the model's inputs.
        queue_ms: Waiting for a thread or an engine.
        engine_ms: Time during which an engine runs any of the image's views.
        assemble_ms: Assembling the views' tokens; 0 for a single view.
    """

    decode_ms: float = 0.0
    views_ms: float = 0.0
    queue_ms: float = 0.0
    engine_ms: float = 0.0
    assemble_ms: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What an encode would return.

    Attributes:
        metadata: The metadata of its tokens.
        tokens: The number of tokens, over all views.
        size_bytes: Size of their values.
    """

    metadata: Metadata
    tokens: int
    size_bytes: int

    @classmethod
    def from_fields(cls, fields: Fields) -> Plan:
        """From the service's JSON."""
        return cls(Metadata.from_fields(fields["metadata"]), int(fields["tokens"]), int(fields["size_bytes"]))
