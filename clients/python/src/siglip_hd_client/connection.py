"""Where a service is, and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

DEFAULT_URL = "http://localhost:8080"

Scheme = Literal["http", "https", "grpc", "grpcs"]


@dataclass(frozen=True)
class Connection:
    """A service's address, and what opens its door.

    Attributes:
        url: ``http://``, ``https://``, ``grpc://`` or ``grpcs://``, and where the service is.
        api_key: Sent with every request, as ``authorization: Bearer``.
        ca_file: PEM file of the authorities that may have signed the service's certificate.
        cert_file: PEM file of the client's own certificate, with its intermediates.
        key_file: PEM file of that certificate's key, where it is not in the same file.
        headers: More headers, or gRPC metadata, of every request.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https", "grpc", "grpcs") or not parts.hostname:
            raise ValueError(
                f"{self.url!r} is not a service's URL: it is like http://localhost:8080 or grpc://localhost:50051."
            )
        if self.is_grpc and (parts.port is None or parts.path not in ("", "/")):
            raise ValueError(f"{self.url!r} is not a gRPC address: it is like {parts.scheme}://host:50051.")
        files = (self.ca_file, self.cert_file, self.key_file)
        if not self.is_secure and any(file is not None for file in files):
            raise ValueError(f"Certificates are for https:// and grpcs://, and the URL is {self.url!r}.")
        if self.key_file is not None and self.cert_file is None:
            raise ValueError("key_file is the key of a certificate: give cert_file as well.")

    @property
    def is_grpc(self) -> bool:
        """Whether the service is spoken to over gRPC."""
        return self.url.startswith("grpc")

    @property
    def is_secure(self) -> bool:
        """Whether by TLS."""
        return urlsplit(self.url).scheme in ("https", "grpcs")

    @property
    def target(self) -> str:
        """Host and port, as gRPC names them."""
        return urlsplit(self.url).netloc


def connection_of(
    url: str | None,
    api_key: str | None,
    ca_file: str | os.PathLike[str] | None,
    cert_file: str | os.PathLike[str] | None,
    key_file: str | os.PathLike[str] | None,
    headers: Mapping[str, str] | None,
) -> Connection:
    """A client's arguments. The environment's SIGLIP_HD_URL and SIGLIP_HD_API_KEY stand in for what is not given."""
    return Connection(
        url=url or os.environ.get("SIGLIP_HD_URL") or DEFAULT_URL,
        api_key=api_key or os.environ.get("SIGLIP_HD_API_KEY") or None,
        ca_file=_path(ca_file),
        cert_file=_path(cert_file),
        key_file=_path(key_file),
        headers=headers or {},
    )


def _path(path: str | os.PathLike[str] | None) -> str | None:
    return None if path is None else os.fspath(path)


def missing_grpc(url: str) -> ImportError:
    """What a gRPC URL needs that is not installed."""
    return ImportError(f"{url} needs grpcio and protobuf: pip install 'siglip-hd-client[grpc]'")
