"""What answers say of themselves, typed.

Both transports give the same fields: the JSON of HTTP, and the messages of gRPC turned into it. Fields that are newer
than this client are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: JSON as both transports give it.
Fields = Mapping[str, Any]

#: Type of a tensor's values.
Dtype = Literal["float16", "float32", "bfloat16"]
#: How an image becomes views, and their tokens the answer.
Recipe = Literal["encode", "teacher", "anyres"]
#: What is answered: what the tower gives, or rows of the language model's width.
Output = Literal["features", "embeddings"]
#: Where an answer comes from: the service's cache, work that another request had begun, or an engine.
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
    """How many tiles lie beside and below each other."""

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
    """Where the tokens of an AnyRes answer lie: first the base view's, then the map's, row after row.

    Attributes:
        tile_grid: Tiles that the image was cut into.
        base_tokens: Tokens of the whole image in one view, which come first.
        unpad: What is kept of the tiles' map; 0 wide or high for extreme shapes.
        spatial: The kept map after the limit, in tokens. A newline row goes after each of its rows.
        resized: Whether the limit made ``spatial`` smaller than ``unpad``.
    """

    tile_grid: TileGrid
    base_tokens: int
    unpad: TokenRect
    spatial: Size
    resized: bool

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
        )


@dataclass(frozen=True)
class ScaleModel:
    """The model that encoded one scale of a teacher."""

    name: str
    digest: str


@dataclass(frozen=True)
class TeacherMakeup:
    """How a teacher's tokens came about.

    Attributes:
        scales: Sides of the squares that the image was resized to, in pixels.
        weights: Of each scale in the average, of sum 1; empty for a concatenation.
        fusion: ``average``, ``concat`` or ``unshuffle_concat``.
        windows: ``tiles``, ``half_overlap`` or ``whole``.
        models: What encoded each scale.
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
    """The model that answered.

    Attributes:
        name: What requests call it.
        digest: ``sha256:`` and 64 hexadecimal digits, over everything that changes tokens.
        trained: False for the service's embedded default model, whose weights are random.
    """

    name: str
    digest: str
    trained: bool


@dataclass(frozen=True)
class Metadata:
    """What an answer says of its tokens.

    Attributes:
        model: The model that answered.
        recipe: ``encode``, ``teacher`` or ``anyres``.
        output: ``features`` of the tower, or ``embeddings`` of the language model's width.
        features: The hidden state that the tokens are, or were made from.
        precision: Of the model's arithmetic: ``fp32``, ``fp16``, ``int8``, or ``exported``.
        dtype: Type of the values.
        shape: ``(tokens, channels)``; with ``assembly="tiles"`` ``(views, tokens, channels)``; of a stack of images
            their number goes before it.
        grid: Tokens across and down; for AnyRes, of the base view.
        views: Views that the model encoded for each image.
        images: Size of each image in pixels, upright.
        teacher: How a teacher's answer came about; None otherwise.
        anyres: Where an AnyRes answer's tokens lie; None otherwise.
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

    @classmethod
    def from_fields(cls, fields: Fields) -> Metadata:
        """From the service's JSON. Raises KeyError, TypeError or ValueError where it is not that."""
        model, teacher, anyres = fields["model"], fields.get("teacher"), fields.get("anyres")
        return cls(
            model=ServedModel(str(model["name"]), str(model["digest"]), bool(model["trained"])),
            recipe=fields["recipe"],
            output=fields.get("output") or "features",
            features=str(fields["features"]),
            precision=str(fields["precision"]),
            dtype=fields["dtype"],
            shape=tuple(int(side) for side in fields["shape"]),
            grid=Size.from_fields(fields["grid"]),
            views=int(fields["views"]),
            images=tuple(Size.from_fields(image) for image in fields.get("images") or ()),
            teacher=None if teacher is None else TeacherMakeup.from_fields(teacher),
            anyres=None if anyres is None else AnyResGeometry.from_fields(anyres),
        )


@dataclass(frozen=True)
class Timings:
    """Wall time that each stage took in the service, in milliseconds. A cached answer took none of them.

    Attributes:
        decode_ms: From bytes to pixels.
        views_ms: From pixels to the model's inputs.
        queue_ms: Waiting for the engine.
        engine_ms: In the engine.
        assemble_ms: Putting the views' tokens together; 0 where there is nothing to.
    """

    decode_ms: float = 0.0
    views_ms: float = 0.0
    queue_ms: float = 0.0
    engine_ms: float = 0.0
    assemble_ms: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What a call would be answered with.

    Attributes:
        metadata: That the call answers.
        tokens: Their number, over all views where these are answered apart.
        size_bytes: Of the tensor's data.
    """

    metadata: Metadata
    tokens: int
    size_bytes: int

    @classmethod
    def from_fields(cls, fields: Fields) -> Plan:
        """From the service's JSON."""
        return cls(Metadata.from_fields(fields["metadata"]), int(fields["tokens"]), int(fields["size_bytes"]))


@dataclass(frozen=True)
class Model:
    """A served model.

    Attributes:
        name: What requests call it.
        digest: ``sha256:`` and 64 hexadecimal digits, over everything that changes tokens.
        architecture: ``siglip`` or ``clip``.
        trained: False for the service's embedded default model, whose weights are random.
        image_size: Side of the model's square input, in pixels.
        patch_size: Side of a patch, in pixels.
        grid: Tokens across and down.
        channels: Values of a token.
        layers: Transformer layers.
        features: The hidden state that its tokens are.
        precision: ``fp32``, ``fp16``, ``int8``, or ``exported``.
        resample: How images are resized for it: ``bilinear`` or ``bicubic``, as Pillow does either.
        resize: How Encode makes an image square: ``squash``, or ``crop`` to its middle.
    """

    name: str
    digest: str
    architecture: str
    trained: bool
    image_size: int
    patch_size: int
    grid: Size
    channels: int
    layers: int
    features: str
    precision: str
    resample: str
    resize: str

    @classmethod
    def from_fields(cls, fields: Fields) -> Model:
        """From the service's JSON."""
        return cls(
            name=str(fields["name"]),
            digest=str(fields["digest"]),
            architecture=str(fields["architecture"]),
            trained=bool(fields["trained"]),
            image_size=int(fields["image_size"]),
            patch_size=int(fields["patch_size"]),
            grid=Size.from_fields(fields["grid"]),
            channels=int(fields["channels"]),
            layers=int(fields["layers"]),
            features=str(fields["features"]),
            precision=str(fields["precision"]),
            resample=str(fields["resample"]),
            resize=str(fields["resize"]),
        )
