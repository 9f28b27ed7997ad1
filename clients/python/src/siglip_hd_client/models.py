"""The served models."""

from __future__ import annotations

from dataclasses import dataclass

from .metadata import Fields, ServedProjector, Size, TileGrid


@dataclass(frozen=True)
class Projector(ServedProjector):
    """A served model's projector.

    Attributes:
        hidden_size: Channels of an embedding: the language model's hidden size.
        grid: Embeddings of one view, across and down.
        newline: Whether AnyRes embeddings have a newline row after each line of the map.
        any_grid: Whether it projects each token by itself; otherwise it pools those of one view.
    """

    hidden_size: int
    grid: Size
    newline: bool
    any_grid: bool

    @property
    def tokens(self) -> int:
        """Embeddings of one view."""
        return self.grid.width * self.grid.height

    @classmethod
    def from_fields(cls, fields: Fields) -> Projector:
        """From the service's JSON."""
        return cls(
            family=str(fields["family"]),
            digest=str(fields["digest"]),
            hidden_size=int(fields["hidden_size"]),
            grid=Size.from_fields(fields["grid"]),
            newline=bool(fields["newline"]),
            any_grid=bool(fields["any_grid"]),
        )


@dataclass(frozen=True)
class AnyResDefinition:
    """The AnyRes that a model was trained with: what `Client.anyres_encode` gives without options.

    Attributes:
        grids: The grids of tiles to choose from.
        resample: Pillow's filter for the base view and the tiles.
        max_tiles: Limits the map to this many tiles' worth of tokens; 0 for no limit.
    """

    grids: tuple[TileGrid, ...]
    resample: str
    max_tiles: int

    @classmethod
    def from_fields(cls, fields: Fields) -> AnyResDefinition:
        """From the service's JSON."""
        return cls(
            grids=tuple(TileGrid(int(grid["columns"]), int(grid["rows"])) for grid in fields["grids"]),
            resample=str(fields["resample"]),
            max_tiles=int(fields["max_tiles"]),
        )


@dataclass(frozen=True)
class Model:
    """A served model.

    Attributes:
        name: The name that requests select it by.
        digest: ``sha256:`` and 64 hexadecimal digits, over everything that affects its tokens.
        architecture: ``siglip`` or ``clip``.
        trained: False for a model with random weights.
        image_size: Side of the model's square input, in pixels.
        patch_size: Side of a patch, in pixels.
        grid: Tokens across and down.
        channels: Channels of a token.
        layers: The number of transformer layers.
        features: The hidden state of a request that names none.
        feature_layers: The hidden states that a request can choose.
        class_token: Whether a request can have the class token.
        pooled_channels: Width of the pooled vector; None if it has none.
        precision: ``fp32``, ``fp16``, ``int8``, or ``exported``.
        resample: Pillow's filter that images are resized with, such as ``bilinear`` or ``bicubic``.
        resize: How Encode makes an image square, such as ``squash``, or ``crop`` to its centre.
        projector: Makes its embeddings; None if it has features only.
        anyres: The AnyRes that it was trained with; None if it has none.
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
    projector: Projector | None = None
    anyres: AnyResDefinition | None = None
    feature_layers: tuple[str, ...] = ()
    class_token: bool = False
    pooled_channels: int | None = None

    @property
    def tokens(self) -> int:
        """Tokens of one view."""
        return self.grid.width * self.grid.height

    @classmethod
    def from_fields(cls, fields: Fields) -> Model:
        """From the service's JSON."""
        projector, anyres = fields.get("projector"), fields.get("anyres")
        # An older service has one hidden state, and gRPC's enum lacks names for most.
        layers = tuple(str(layer) for layer in fields.get("feature_layers") or (fields["features"],))
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
            features=layers[0],
            precision=str(fields["precision"]),
            resample=str(fields["resample"]),
            resize=str(fields["resize"]),
            projector=None if projector is None else Projector.from_fields(projector),
            anyres=None if anyres is None else AnyResDefinition.from_fields(anyres),
            feature_layers=layers,
            class_token=bool(fields.get("class_token")),
            pooled_channels=int(fields.get("pooled_channels") or 0) or None,
        )
