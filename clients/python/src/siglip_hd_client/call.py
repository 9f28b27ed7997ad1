"""Requests and replies, independent of the transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeAlias

from .images import FileImage, SentImage
from .metadata import Fields, Recipe, Size, Source, Timings


@dataclass(frozen=True)
class Digest:
    """A file's digest, sent instead of the file when the service may have its tokens cached."""

    text: str


@dataclass(frozen=True)
class Terms:
    """How the service should treat a request."""

    request_id: str
    priority: Literal["interactive", "bulk"] | None = None
    no_store: bool = False


@dataclass(frozen=True)
class EncodeCall:
    """Requests tokens."""

    recipe: Recipe
    image: SentImage | Digest
    options: Mapping[str, Any]
    terms: Terms

    def by_digest(self) -> EncodeCall | None:
        """The same call by the file's digest; None if the image is not a file."""
        if not isinstance(self.image, FileImage):
            return None
        return replace(self, image=Digest(self.image.digest))


@dataclass(frozen=True)
class PlanCall:
    """Asks what an encode of an image of this size would return."""

    recipe: Recipe
    size: Size
    options: Mapping[str, Any]
    terms: Terms


@dataclass(frozen=True)
class ModelsCall:
    """Lists the served models."""

    terms: Terms


Call: TypeAlias = EncodeCall | PlanCall | ModelsCall


@dataclass(frozen=True)
class Reply:
    """An undecoded reply.

    Attributes:
        fields: The reply's JSON; for an encode, its metadata.
        data: The values of an encode; otherwise empty.
    """

    fields: Fields
    data: bytearray = field(default_factory=bytearray, repr=False)
    timings: Timings = field(default_factory=Timings)
    source: Source | None = None
    request_id: str | None = None


class Transport(Protocol):
    """Sends calls to the service."""

    def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a call once. Raises SiglipHdError if it fails."""

    def close(self) -> None:
        """Closes the connections."""


class AsyncTransport(Protocol):
    """Sends calls to the service, for asyncio."""

    async def send(self, call: Call, timeout_s: float | None) -> Reply:
        """Sends a call once. Raises SiglipHdError if it fails."""

    async def close(self) -> None:
        """Closes the connections."""
