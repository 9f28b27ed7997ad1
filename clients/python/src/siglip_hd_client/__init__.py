"""Visual tokens from a siglip-hd service.

    from siglip_hd_client import Client

    with Client("http://localhost:8080") as client:
        tokens = client.encode("photo.jpg")
    print(tokens.shape, tokens.grid, tokens.numpy().dtype)

Adapters for model servers and libraries are separate modules: `siglip_hd_client.vllm`, ``.transformers``, ``.llava``,
``.sglang`` and ``.dynamo``.
"""

from ._version import __version__
from .async_client import AsyncClient
from .client import Client
from .errors import (
    CallTimeoutError,
    ConnectionFailedError,
    DeadlineExceededError,
    FailedPreconditionError,
    HeadersTooLargeError,
    InternalError,
    InvalidArgumentError,
    MethodNotAllowedError,
    NotAcceptableError,
    NotFoundError,
    OverloadedError,
    RequestCancelledError,
    RequestTimeoutError,
    SiglipHdError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnsupportedMediaError,
)
from .images import ImageInput
from .many import Item
from .metadata import (
    AnyResGeometry,
    Metadata,
    Plan,
    ScaleModel,
    ServedModel,
    ServedProjector,
    Size,
    TeacherMakeup,
    TileGrid,
    Timings,
    TokenRect,
)
from .models import AnyResDefinition, Model, Projector
from .options import AnyOptions, AnyResOptions, CallOptions, EncodeOptions, TeacherOptions
from .tokens import Tokens

__all__ = [
    "AnyOptions",
    "AnyResDefinition",
    "AnyResGeometry",
    "AnyResOptions",
    "AsyncClient",
    "CallOptions",
    "CallTimeoutError",
    "Client",
    "ConnectionFailedError",
    "DeadlineExceededError",
    "EncodeOptions",
    "FailedPreconditionError",
    "HeadersTooLargeError",
    "ImageInput",
    "InternalError",
    "InvalidArgumentError",
    "Item",
    "Metadata",
    "MethodNotAllowedError",
    "Model",
    "NotAcceptableError",
    "NotFoundError",
    "OverloadedError",
    "Plan",
    "Projector",
    "RequestCancelledError",
    "RequestTimeoutError",
    "ScaleModel",
    "ServedModel",
    "ServedProjector",
    "SiglipHdError",
    "Size",
    "TeacherMakeup",
    "TeacherOptions",
    "TileGrid",
    "Timings",
    "TokenRect",
    "Tokens",
    "TooLargeError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnsupportedMediaError",
    "__version__",
]
