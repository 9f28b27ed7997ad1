"""One request to the service, and its answer, as both transports take and give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

from .images import FileImage, SentImage
from .metadata import Fields, Recipe, Size, Source, Timings


@dataclass(frozen=True)
class Digest:
    """A file's digest in place of the file, for tokens that the service's cache may still have."""

    text: str


@dataclass(frozen=True)
class Terms:
    """How a request is to be served."""

    request_id: str
    priority: Literal["interactive", "bulk"] | None = None
    no_store: bool = False


@dataclass(frozen=True)
class EncodeCall:
    """Asks for tokens."""

    recipe: Recipe
    image: SentImage | Digest
    options: Mapping[str, Any]
    terms: Terms

    def by_digest(self) -> EncodeCall | None:
        """The same of what the cache has, or None where the image is no file."""
        if not isinstance(self.image, FileImage):
            return None
        return replace(self, image=Digest(self.image.digest))


@dataclass(frozen=True)
class PlanCall:
    """Asks what an encode of an image of this size would answer."""

    recipe: Recipe
    size: Size
    options: Mapping[str, Any]
    terms: Terms


@dataclass(frozen=True)
class ModelsCall:
    """Asks for the served models."""

    terms: Terms


Call: TypeAlias = EncodeCall | PlanCall | ModelsCall


@dataclass(frozen=True)
class Reply:
    """What came back, before it is read.

    Attributes:
        fields: The answer's JSON; of an encode its metadata.
        data: An encode's values; otherwise empty.
    """

    fields: Fields
    data: bytearray = field(default_factory=bytearray, repr=False)
    timings: Timings = field(default_factory=Timings)
    source: Source | None = None
    request_id: str | None = None


class Transport(Protocol):
    """A way to the service."""

    def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a request once. Raises SiglipHdError where it has no answer."""

    def close(self) -> None:
        """Closes the connections."""


class AsyncTransport(Protocol):
    """A way to the service, for asyncio."""

    async def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a request once. Raises SiglipHdError where it has no answer."""

    async def close(self) -> None:
        """Closes the connections."""
